-- | The example package of Docket.
module Hello.Docket (greeting) where

import Words (Words, single)

-- | What the example says.
greeting :: Words
greeting = single "Hello from Docket"
