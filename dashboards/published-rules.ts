/** What Kubernetes has of the rules of Prometheus, by its path from the root of the repository. */
export interface PublishedRules {
  readonly file: string;
  readonly text: string;
}

const NOTE = '# Made of dashboards/prometheus/rules.yaml by `npm run dashboards`.\n';

/**
 * @param rules the text of dashboards/prometheus/rules.yaml
 * @returns its groups as the object of the Prometheus operator, and as the file that the chart puts into one
 */
export function publishedRules(rules: string): readonly PublishedRules[] {
  const groups = rules.slice(rules.indexOf('groups:'));
  const indented = groups.replace(/^(?=.)/gm, '  ');
  return [
    {
      file: 'deploy/kubernetes/components/monitoring/rules.yaml',
      text:
        `${NOTE}apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: signalbox\n` +
        `  labels: { app.kubernetes.io/name: signalbox }\nspec:\n${indented}`,
    },
    { file: 'deploy/helm/signalbox/files/rules.yaml', text: NOTE + groups },
  ];
}
