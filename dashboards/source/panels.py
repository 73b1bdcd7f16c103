"""The building blocks of dashboards: queries, panels, rows.

In a query `NODE` stands for the labels that the dashboard's variables select, and `RATE` for
Grafana's own interval, which is never shorter than four scrapes.
"""

from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
NODE = 'job=~"$job",instance=~"$instance"'
# A quarter and a third of Grafana's 24 columns.
STAT_WIDTH, GRAPH_WIDTH = 4, 8
STAT_HEIGHT, GRAPH_HEIGHT = 4, 8

Thresholds = list[tuple[float | None, str]]


@dataclass(frozen=True)
class Query:
    """A query to Prometheus, and the legend of its lines."""

    expr: str
    legend: str

    def text(self) -> str:
        return self.expr.replace("NODE", NODE).replace("RATE", "$__rate_interval")


def quantiles(stage: str, legend: str) -> list[Query]:
    """The median and the 99th percentile of a stage of a record's life."""
    rate = f'sum by (instance, le) (rate(tapecast_stage_seconds_bucket{{NODE,stage="{stage}"}}[RATE]))'
    return [
        Query(f"histogram_quantile(0.5, {rate})", f"{legend} p50"),
        Query(f"histogram_quantile(0.99, {rate})", f"{legend} p99"),
    ]


def graph(title: str, unit: str, about: str, *queries: Query) -> timeseries.Panel:
    """Lines over time, with the last and the largest value in the legend."""
    legend = (
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
        .show_legend(True)
    )
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = timeseries.Panel().title(title).description(about).unit(unit).datasource(SOURCE)
    panel = panel.min(0).fill_opacity(8).legend(legend).tooltip(tooltip)
    panel = panel.span(GRAPH_WIDTH).height(GRAPH_HEIGHT)
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().expr(query.text()).legend_format(query.legend)
        panel = panel.with_target(target.ref_id(letter))
    return panel


def number(
    title: str, unit: str, about: str, expr: str, thresholds: Thresholds | None = None
) -> stat.Panel:
    """One number, with a colour if it shows whether all is well."""
    reduce = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    panel = stat.Panel().title(title).description(about).unit(unit).datasource(SOURCE)
    panel = panel.reduce_options(reduce).span(STAT_WIDTH).height(STAT_HEIGHT)
    steps = [dashboard.Threshold(value=at, color=color) for at, color in thresholds or []]
    if steps:
        panel = panel.thresholds(
            dashboards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
        )
    target = prometheus.Dataquery().expr(Query(expr, title).text()).legend_format(title)
    return panel.with_target(target.ref_id("A"))


Panel = timeseries.Panel | stat.Panel


def board(
    uid: str, title: str, about: str, rows: list[tuple[str, list[Panel]]]
) -> dashboards.Dashboard:
    """A dashboard: variables that select nodes, then rows of panels."""
    chosen = (
        dashboards.Dashboard(title)
        .uid(uid)
        .description(about)
        .tags(["tapecast"])
        .editable()
        .refresh("10s")
        .time("now-30m", "now")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboards.DatasourceVariable("datasource").label("Source").type("prometheus"))
        .with_variable(labels("job", "label_values(tapecast_build_info, job)"))
        .with_variable(labels("instance", 'label_values(tapecast_build_info{job=~"$job"}, instance)'))
        .link(
            dashboards.DashboardLink("Tapecast")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags(["tapecast"])
            .as_dropdown(True)
            .keep_time(True)
            .include_vars(True)
        )
    )
    ids = count(1)
    for name, panels in rows:
        chosen = chosen.with_row(dashboards.Row(name).id(next(ids)))
        for panel in panels:
            chosen = chosen.with_panel(panel.id(next(ids)))
    return chosen


def labels(name: str, query: str) -> dashboards.QueryVariable:
    """A variable with the values of a label, all of them by default."""
    return (
        dashboards.QueryVariable(name)
        .label(name.capitalize())
        .query(query)
        .datasource(SOURCE)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(dashboard.VariableOption(text="All", value="$__all"))
    )
