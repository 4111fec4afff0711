// The SDK prefers schema version 2, which only the newest Grafana imports; the classic one goes into all of them.
/* eslint-disable @typescript-eslint/no-deprecated */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATA_SOURCE } from './panels.ts';

/** A variable whose values are a label's, as Prometheus has them. */
export interface LabelVariable {
  readonly name: 'experiment' | 'model' | 'instance';
  /** The metric that always carries the label. */
  readonly metric: string;
  /** One value, or any number of them. */
  readonly pick: 'one' | 'many';
}

export const EXPERIMENT: LabelVariable = {
  name: 'experiment',
  metric: 'signalbox_experiment_weight',
  pick: 'one',
};
export const MODEL: LabelVariable = { name: 'model', metric: 'signalbox_instances', pick: 'many' };
export const INSTANCE: LabelVariable = { name: 'instance', metric: 'signalbox_instances', pick: 'many' };

/** A mark over all panels, wherever the query has a value. */
export interface Mark {
  readonly name: string;
  readonly expr: string;
  readonly title: string;
}

export interface DashboardDefinition {
  /** The last part of its uid and file name: `signalbox-<key>`. */
  readonly key: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly LabelVariable[];
  readonly marks?: readonly Mark[];
  readonly rows: readonly { readonly title: string; readonly panels: readonly Builder<Panel>[] }[];
}

/** Grafana's dashboard, as its JSON has it. Dashboards carry one tag, by which each links to the others. */
export function buildDashboard(definition: DashboardDefinition): Dashboard {
  const { key, title, description, variables, marks = [], rows } = definition;
  const builder = new DashboardBuilder(`Signalbox / ${title}`)
    .uid(`signalbox-${key}`)
    .description(description)
    .tags(['signalbox'])
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .link(
      new DashboardLinkBuilder('Signalbox')
        .type(DashboardLinkType.Dashboards)
        .tags(['signalbox'])
        .asDropdown(true)
        .includeVars(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'));
  for (const variable of variables) builder.withVariable(queryVariable(variable));
  for (const { name, expr, title: text } of marks) {
    builder.annotation(
      new AnnotationQueryBuilder()
        .name(name)
        .datasource(DATA_SOURCE)
        .enable(true)
        .iconColor('blue')
        .expr(expr)
        .titleFormat(text)
        .step('60s'),
    );
  }
  let id = 1;
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(id++));
    for (const panel of row.panels) builder.withPanel(numbered(panel, id++));
  }
  return builder.build();
}

/** Grafana tells panels apart by their number. */
function numbered(panel: Builder<Panel>, id: number): Builder<Panel> {
  return { build: () => ({ ...panel.build(), id }) };
}

function queryVariable({ name, metric, pick }: LabelVariable): QueryVariableBuilder {
  const query = `label_values(${metric}, ${name})`;
  const variable = new QueryVariableBuilder(name)
    .label(`${name[0]?.toUpperCase() ?? ''}${name.slice(1)}`)
    .datasource(DATA_SOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
  return pick === 'one' ? variable : variable.multi(true).includeAll(true).allValue('.*');
}
