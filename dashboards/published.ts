import { buildDashboard } from './dashboard.ts';
import { EXPERIMENT_DASHBOARD } from './experiment.ts';
import { FLEET_DASHBOARD } from './fleet.ts';
import { GATEWAY_DASHBOARD } from './gateway.ts';
import { MODEL_BACKENDS_DASHBOARD } from './model-backends.ts';

/** A dashboard as it is committed, and imported into Grafana. */
export interface PublishedDashboard {
  /** Its name in `dashboards/grafana/`. */
  readonly file: string;
  readonly text: string;
}

export function publishedDashboards(): readonly PublishedDashboard[] {
  return [EXPERIMENT_DASHBOARD, MODEL_BACKENDS_DASHBOARD, GATEWAY_DASHBOARD, FLEET_DASHBOARD].map(
    (definition) => ({
      file: `${definition.key}.json`,
      text: `${JSON.stringify(buildDashboard(definition), undefined, 2)}\n`,
    }),
  );
}
