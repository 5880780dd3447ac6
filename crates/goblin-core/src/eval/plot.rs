//! Small charts as SVG, drawn without a program in the page. Colours come from the page's style, by class.

/// Size of a chart, in its own units.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 270.0;
/// Where the drawing area begins and ends.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 346.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 222.0;
/// About so many lines across an axis.
const TICKS: f64 = 5.0;

/// One axis.
pub(super) struct Axis {
    pub(super) label: &'static str,
    pub(super) to: f64,
    /// Its numbers are parts, shown as percent.
    pub(super) percent: bool,
}

impl Axis {
    /// From 0 to 1, in percent.
    pub(super) fn part(label: &'static str) -> Self {
        Self {
            label,
            to: 1.0,
            percent: true,
        }
    }

    fn step(&self) -> f64 {
        let rough = self.to / TICKS;
        let power = 10.0_f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|m| m * power);
        nice.into_iter().find(|s| *s >= rough * 0.999).unwrap_or(rough)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let step = self.step();
        let count = (self.to / step + 1e-9).floor() as usize;
        let digits = usize::from(!self.percent && step < 1.0);
        let shown = |value: f64| match self.percent {
            true => format!("{:.0} %", value * 100.0),
            false => format!("{value:.digits$}"),
        };
        (0..=count)
            .map(|n| n as f64 * step)
            .map(|v| (v, shown(v)))
            .collect()
    }
}

/// What is drawn, in the units of the axes.
pub(super) enum Layer {
    /// A line through points.
    Line(&'static str, Vec<(f64, f64)>),
    /// Bars from 0: from, to, height.
    Bars(Vec<(f64, f64, f64)>),
    /// Circles with a radius in the chart's units, and what each says when pointed at.
    Dots(Vec<(f64, f64, f64, String)>),
}

/// A chart.
pub(super) struct Chart {
    /// For who cannot see it.
    pub(super) describe: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) layers: Vec<Layer>,
}

impl Chart {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value / self.x.to).clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        BOTTOM - (value / self.y.to).clamp(0.0, 1.0) * (BOTTOM - TOP)
    }

    /// The chart as an `svg` element.
    pub(super) fn svg(&self) -> String {
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escaped(&self.describe)
        );
        self.axes(&mut out);
        for layer in &self.layers {
            self.layer(layer, &mut out);
        }
        out.push_str("</svg>");
        out
    }

    fn axes(&self, out: &mut String) {
        for (value, text) in self.x.ticks() {
            let x = self.x(value);
            *out += &format!("<path class=\"grid\" d=\"M{x:.1} {TOP}V{BOTTOM}\"/>");
            *out += &format!(
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{text}</text>\n",
                BOTTOM + 16.0
            );
        }
        for (value, text) in self.y.ticks() {
            let y = self.y(value);
            *out += &format!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>");
            *out += &format!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>\n",
                LEFT - 6.0,
                y + 4.0
            );
        }
        *out += &format!("<path class=\"axis\" d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>\n");
        let (middle, height) = (f64::midpoint(LEFT, RIGHT), f64::midpoint(TOP, BOTTOM));
        *out += &format!(
            "<text class=\"label\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
            BOTTOM + 38.0,
            escaped(self.x.label)
        );
        *out += &format!(
            "<text class=\"label\" transform=\"translate(12 {height}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            escaped(self.y.label)
        );
    }

    fn layer(&self, layer: &Layer, out: &mut String) {
        match layer {
            Layer::Line(class, points) => {
                let drawn: Vec<String> = points
                    .iter()
                    .map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y)))
                    .collect();
                *out += &format!("<polyline class=\"{class}\" points=\"{}\"/>\n", drawn.join(" "));
            }
            Layer::Bars(bars) => {
                for (from, to, height) in bars {
                    let (x, y) = (self.x(*from) + 1.0, self.y(*height));
                    let (w, h) = (self.x(*to) - 1.0 - x, BOTTOM - y);
                    *out += &format!(
                        "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>\n"
                    );
                }
            }
            Layer::Dots(dots) => {
                for (x, y, radius, says) in dots {
                    *out += &format!(
                        "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"><title>{}</title></circle>\n",
                        self.x(*x),
                        self.y(*y),
                        escaped(says)
                    );
                }
            }
        }
    }
}

/// Text that is safe between tags and in attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axis(to: f64) -> Axis {
        Axis {
            label: "x",
            to,
            percent: false,
        }
    }

    #[test]
    fn axes_have_round_numbers() {
        let shown = |axis: Axis| axis.ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(
            shown(Axis::part("p")),
            ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
        );
        assert_eq!(shown(axis(130.0)), ["0", "50", "100"]);
        assert_eq!(shown(axis(1.0)).len(), 6);
    }

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escaped("<a href=\"x\">'&"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"
        );
    }

    proptest! {
        #[test]
        fn every_axis_has_a_few_ticks_and_every_point_is_inside(to in 1e-3..1e6_f64, x in -1.0..2.0_f64) {
            let chart = Chart { describe: String::new(), x: axis(to), y: axis(to), layers: Vec::new() };
            let ticks = chart.x.ticks().len();
            prop_assert!((3..=7).contains(&ticks), "{ticks} ticks to {to}");
            prop_assert!((LEFT..=RIGHT).contains(&chart.x(x * to)));
            prop_assert!((TOP..=BOTTOM).contains(&chart.y(x * to)));
        }
    }
}
