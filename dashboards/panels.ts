import {
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  StackingMode,
} from '@grafana/grafana-foundation-sdk/common';
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import { StackingConfigBuilder, VizLegendOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { Panel, ValueMapping } from '@grafana/grafana-foundation-sdk/dashboard';
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** One PromQL query of a panel, and how its series are named there, as `{{variant}}`. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
  /** Drawn dashed: what is planned, beside what is. */
  readonly dashed?: true;
}

/** Grafana's own names of the units in use. */
export type Unit = 'reqps' | 's' | 'percentunit' | 'short' | 'bytes' | 'cps' | 'rowsps' | 'dateTimeFromNow';

export interface PanelDefinition {
  readonly title: string;
  /** What the panel is for, shown beside its title. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Of 24 columns; default 8. */
  readonly columns?: number;
}

/** Where a value changes its colour, from the lowest on; the first has no value. */
export type Thresholds = readonly {
  readonly from: number | null;
  readonly color: 'green' | 'orange' | 'red';
}[];

/** The data source that a dashboard's first variable names. */
export const DATA_SOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

const HEIGHT = 8;

/** Series over time. `stacked` is for parts of a whole; `signed` for what may be below 0. */
export function timeSeries(
  definition: PanelDefinition & { readonly stacked?: true; readonly signed?: true },
): Builder<Panel> {
  const { title, description, unit, queries, columns = 8, stacked, signed } = definition;
  const panel = new TimeSeriesBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .height(HEIGHT)
    .span(columns)
    .drawStyle(GraphDrawStyle.Line)
    .fillOpacity(stacked === true ? 40 : 5)
    .legend(
      new VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom),
    );
  if (signed !== true) panel.min(0);
  if (stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  queries.forEach((query, index) => {
    panel.withTarget(target(query, index).range());
    if (query.dashed === true) {
      panel.overrideByQuery(refId(index), [
        { id: 'custom.lineStyle', value: { fill: 'dash', dash: [10, 10] } },
        { id: 'custom.fillOpacity', value: 0 },
      ]);
    }
  });
  return panel;
}

/** One figure a series: how it stands now. */
export function stat(
  definition: PanelDefinition & {
    readonly thresholds?: Thresholds;
    readonly mappings?: readonly ValueMapping[];
  },
): Builder<Panel> {
  const { title, description, unit, queries, columns = 4, thresholds, mappings = [] } = definition;
  const panel = new StatBuilder()
    .title(title)
    .description(description)
    .datasource(DATA_SOURCE)
    .unit(unit)
    .height(HEIGHT)
    .span(columns)
    .mappings([...mappings]);
  if (thresholds !== undefined) {
    const steps = thresholds.map(({ from, color }) => ({ value: from, color }));
    panel.thresholds(new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps));
  }
  queries.forEach((query, index) => panel.withTarget(target(query, index).instant()));
  return panel;
}

function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  return new DataqueryBuilder().datasource(DATA_SOURCE).refId(refId(index)).expr(expr).legendFormat(legend);
}

/** A, B, C…, as Grafana names them. */
function refId(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + index);
}
