// The peer's page: the whole of it is the viewer, fed with the text of a log by its address.

import { createRoot } from "react-dom/client";
import { LazyLog } from "@melloware/react-logviewer";

const url = new URLSearchParams(location.search).get("log");
createRoot(document.getElementById("root")).render(<LazyLog url={url} height={innerHeight} enableSearch selectableLines />);
