//! Draws charts as SVG and PNG.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    BitMapBackend, ChartBuilder, Circle, Color as _, DrawingArea, DrawingBackend,
    IntoDrawingArea as _, IntoFont as _, LineSeries, PathElement, RGBColor, SVGBackend, Text,
    TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, ShapeStyle, register_font};

use super::chart::{Chart, Line, Scale};
use crate::peers::peer::Peer;

const SIZE: (u32, u32) = (1_120, 640);
/// The legend is right of the plot, so that it covers no line.
const PLOT_WIDTH: u32 = 930;
const FONT: &str = "sans-serif";
/// More labels than any axis has ticks, so that all are drawn.
const MARKS: usize = 64;
const WHITE: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Registers the font that is in this binary.
pub(super) fn use_own_font() -> anyhow::Result<()> {
    register_font(FONT, FontStyle::Normal, dejavu::sans::regular())
        .map_err(|_| anyhow!("the font cannot be read"))
}

pub(super) fn svg(chart: &Chart, file: &Path) -> anyhow::Result<()> {
    let done = draw(chart, &SVGBackend::new(file, SIZE).into_drawing_area());
    done.with_context(|| format!("cannot draw {}", file.display()))
}

pub(super) fn png(chart: &Chart, file: &Path) -> anyhow::Result<()> {
    let done = draw(chart, &BitMapBackend::new(file, SIZE).into_drawing_area());
    done.with_context(|| format!("cannot draw {}", file.display()))
}

fn draw<B: DrawingBackend>(chart: &Chart, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let (plot, legend) = area.split_horizontally(PLOT_WIDTH);
    let places: Vec<(f64, f64)> = chart
        .lines
        .iter()
        .flat_map(|line| line.points.iter())
        .map(|(x, y)| (chart.x.scale.place(*x), chart.y.scale.place(*y)))
        .collect();
    let span = |figures: &dyn Fn(&(f64, f64)) -> f64| {
        let all = || places.iter().map(figures);
        (
            all().fold(f64::MAX, f64::min),
            all().fold(f64::MIN, f64::max),
        )
    };
    let ((left, right), (low, high)) = (span(&|place| place.0), span(&|place| place.1));
    let (x, y) = (
        Ruler::new(chart.x.scale, left, right),
        Ruler::new(chart.y.scale, low, high),
    );
    let diagonal = (x.ends.0.max(y.ends.0), x.ends.1.min(y.ends.1));

    let mut context = ChartBuilder::on(&plot)
        .caption(&chart.title, (FONT, 20).into_font().color(&INK))
        .margin(14)
        .margin_right(24)
        .x_label_area_size(56)
        .y_label_area_size(78)
        .build_cartesian_2d(x, y)?;
    context
        .configure_mesh()
        .bold_line_style(GRID)
        .light_line_style(WHITE.mix(0.0))
        .axis_style(INK)
        .x_desc(chart.x.label)
        .y_desc(chart.y.label)
        .axis_desc_style((FONT, 17).into_font().color(&INK))
        .label_style((FONT, 15).into_font().color(&INK))
        .x_labels(MARKS)
        .y_labels(MARKS)
        .draw()?;
    if chart.diagonal {
        let (from, to) = diagonal;
        context.draw_series(LineSeries::new(
            [(from, from), (to, to)],
            GRID.stroke_width(3),
        ))?;
    }
    for line in &chart.lines {
        let style = style(line.peer);
        let places = || {
            line.points
                .iter()
                .map(|(x, y)| (chart.x.scale.place(*x), chart.y.scale.place(*y)))
        };
        context.draw_series(LineSeries::new(places(), style))?;
        let dot = style.color.filled();
        context.draw_series(places().map(|place| Circle::new(place, 4, dot)))?;
    }
    draw_legend(chart, &legend)?;
    area.present()?;
    Ok(())
}

/// A linear axis of positions, with ticks at round figures of the scale.
struct Ruler {
    scale: Scale,
    ends: (f64, f64),
    marks: Vec<f64>,
}

impl Ruler {
    fn new(scale: Scale, least: f64, most: f64) -> Self {
        let (first, last, marks) = scale.ticks(least, most);
        Self {
            scale,
            ends: (first, last),
            marks,
        }
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a pixel of a picture")]
    fn map(&self, place: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (place - self.ends.0) / (self.ends.1 - self.ends.0);
        (f64::from(from) + share * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _hint: H) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format(place: &f64) -> String {
        place.to_string()
    }

    fn format_ext(&self, place: &f64) -> String {
        self.scale.tell(*place)
    }
}

/// Lists the servers in the order in which their lines end at the right.
fn draw_legend<B: DrawingBackend>(chart: &Chart, area: &DrawingArea<B, Shift>) -> anyhow::Result<()>
where
    B::ErrorType: 'static,
{
    let last = |line: &Line| line.points.last().map_or(0.0, |point| point.1);
    let mut lines: Vec<&Line> = chart.lines.iter().collect();
    lines.sort_by(|one, other| last(other).total_cmp(&last(one)));
    let text = TextStyle::from((FONT, 16).into_font())
        .color(&INK)
        .pos(Pos::new(HPos::Left, VPos::Center));
    let mut y = 70;
    for line in lines {
        let style = style(line.peer);
        area.draw(&PathElement::new(vec![(4, y), (34, y)], style))?;
        area.draw(&Circle::new((19, y), 4, style.color.filled()))?;
        area.draw(&Text::new(line.peer.name(), (44, y), text.clone()))?;
        y += 28;
    }
    if chart.diagonal {
        let style = ShapeStyle::from(&GRID).stroke_width(3);
        area.draw(&PathElement::new(vec![(4, y), (34, y)], style))?;
        area.draw(&Text::new("all of it", (44, y), text))?;
    }
    Ok(())
}

/// A server has the same colour on every chart; ours has the widest line.
fn style(peer: Peer) -> ShapeStyle {
    let (color, width) = match peer {
        Peer::Loop => (RGBColor(120, 120, 120), 2),
        Peer::Tapecast => (RGBColor(214, 39, 40), 4),
        Peer::Uwebsockets => (RGBColor(31, 119, 180), 2),
        Peer::Fastwebsockets => (RGBColor(44, 160, 44), 2),
        Peer::Tungstenite => (RGBColor(148, 103, 189), 2),
        Peer::NodeWs => (RGBColor(140, 86, 75), 2),
        Peer::Nats => (RGBColor(227, 119, 194), 2),
        Peer::Centrifugo => (RGBColor(160, 160, 20), 2),
        Peer::Socketio => (RGBColor(23, 190, 207), 2),
    };
    ShapeStyle::from(&color).stroke_width(width)
}
