//! Small charts, drawn here as SVG: no script, no inline style, and a title and a description for who does not see them.

use std::fmt::Write as _;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 120.0;

/// Room for numbers on the left, and for times below.
const LEFT: f64 = 44.0;
const BOTTOM: f64 = 18.0;
const TOP: f64 = 8.0;

/// How the values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// A line over an area: something that is there all the time.
    Line,
    /// A bar where there is a value: something that happens.
    Bars,
}

/// A chart of values over time.
pub(super) struct Chart<'a> {
    /// Names it in the page: letters only.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// What it shows, in a sentence.
    pub(super) told: &'a str,
    pub(super) marks: Marks,
    /// Oldest first; none where there is nothing to show.
    pub(super) values: &'a [Option<i64>],
    /// What the upper end of the scale is called, given its value.
    pub(super) scale: fn(i64) -> String,
    /// Below the left end, the middle and the right end.
    pub(super) times: [&'a str; 3],
}

impl Chart<'_> {
    /// Draws it.
    pub(super) fn svg(&self) -> String {
        let highest = self.values.iter().flatten().copied().max().unwrap_or_default();
        let top = round_up(highest);
        let width = WIDTH - LEFT;
        let floor = HEIGHT - BOTTOM;
        let step = width / self.values.len().max(1) as f64;
        let y = |value: i64| floor - (floor - TOP) * value.max(0) as f64 / top as f64;
        let mut svg = String::new();
        let id = self.id;
        let mut put = |text: std::fmt::Arguments<'_>| {
            svg.write_fmt(text).expect("writing to a String cannot fail");
        };
        put(format_args!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-title {id}-told\"><title id=\"{id}-title\">{}</title><desc id=\"{id}-told\">{}</desc>",
            escaped(self.title),
            escaped(self.told)
        ));
        put(format_args!(
            "<path class=\"axis\" d=\"M{LEFT} {TOP}H{WIDTH}M{LEFT} {floor}H{WIDTH}\"/>"
        ));
        match self.marks {
            Marks::Line => {
                let points: Vec<String> = self
                    .values
                    .iter()
                    .enumerate()
                    .filter_map(|(place, value)| {
                        Some(format!(
                            "{:.1} {:.1}",
                            LEFT + step * (place as f64 + 0.5),
                            y((*value)?)
                        ))
                    })
                    .collect();
                if let (Some(first), Some(last)) = (points.first(), points.last()) {
                    let line = points.join("L");
                    let x = |point: &str| point.split(' ').next().unwrap_or_default().to_owned();
                    put(format_args!(
                        "<path class=\"area\" d=\"M{} {floor}L{line}L{} {floor}Z\"/><path class=\"line\" d=\"M{line}\"/>",
                        x(first),
                        x(last)
                    ));
                }
            }
            Marks::Bars => {
                for (place, value) in self.values.iter().enumerate() {
                    let Some(value) = value else { continue };
                    let high = y(*value).min(floor - 1.0);
                    put(format_args!(
                        "<rect class=\"bar-mark\" x=\"{:.1}\" y=\"{high:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                        LEFT + step * place as f64 + 1.0,
                        (step - 2.0).max(1.0),
                        floor - high
                    ));
                }
            }
        }
        put(format_args!(
            "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text><text x=\"{:.0}\" y=\"{floor:.0}\" text-anchor=\"end\">0</text>",
            LEFT - 6.0,
            TOP + 4.0,
            escaped(&(self.scale)(top)),
            LEFT - 6.0
        ));
        for (text, at, anchor) in [
            (self.times[0], LEFT, "start"),
            (self.times[1], LEFT + width / 2.0, "middle"),
            (self.times[2], WIDTH, "end"),
        ] {
            put(format_args!(
                "<text x=\"{at:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
                HEIGHT - 3.0,
                escaped(text)
            ));
        }
        svg.push_str("</svg>");
        svg
    }
}

/// The next of 1, 2, 5, 10, 20, …: a scale that does not jump with every value.
fn round_up(value: i64) -> i64 {
    let mut power: i64 = 1;
    loop {
        for step in [1, 2, 5] {
            let candidate = power.saturating_mul(step);
            if candidate >= value {
                return candidate;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(marks: Marks, values: &[Option<i64>]) -> String {
        let chart = Chart {
            id: "depth",
            title: "Depth <of> the queue",
            told: "At most 3.",
            marks,
            values,
            scale: |top| top.to_string(),
            times: ["a day ago", "12 hours ago", "now"],
        };
        chart.svg()
    }

    #[test]
    fn a_chart_can_be_read_without_seeing_it() {
        let svg = chart(Marks::Line, &[Some(0), Some(3), Some(1)]);
        assert!(
            svg.contains("<title id=\"depth-title\">Depth &lt;of&gt; the queue</title>"),
            "{svg}"
        );
        assert!(svg.contains("<desc id=\"depth-told\">At most 3.</desc>"), "{svg}");
        assert!(
            svg.contains(">5</text>"),
            "the scale ends at a round number: {svg}"
        );
        assert!(!svg.contains("style="), "the policy forbids it: {svg}");
    }

    #[test]
    fn nothing_to_draw_is_an_empty_chart() {
        for marks in [Marks::Line, Marks::Bars] {
            for values in [&[][..], &[None, None]] {
                let svg = chart(marks, values);
                assert!(
                    !svg.contains("NaN") && !svg.contains("rect") && !svg.contains("class=\"line\""),
                    "{svg}"
                );
            }
        }
        assert_eq!(
            chart(Marks::Bars, &[None, Some(0), Some(2)])
                .matches("<rect")
                .count(),
            2
        );
    }

    #[test]
    fn scales_end_at_round_numbers() {
        for (value, top) in [(0, 1), (1, 1), (3, 5), (6, 10), (11, 20), (501, 1000)] {
            assert_eq!(round_up(value), top);
        }
        assert!(round_up(i64::MAX) > 0);
    }
}
