import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKey } from '../../../gateway/trust/api-key.ts';
import { keysYaml } from '../../gateway/keys-yaml.ts';
import { DEMO_FOLDER, startGateway } from '../../gateway/running-gateway.ts';
import type { RunningGateway } from '../../gateway/running-gateway.ts';

const experimentOf = (weights: readonly [number, number]): string => `
key: digits-cnn
model: digits
status: running
control: v1
variants: [{ name: v1, version: 1, weight: ${weights[0]} }, { name: v2, version: 2, weight: ${weights[1]} }]
mirror: { variant: v2, share: 0.5 }
metrics: [{ name: correct, kind: proportion, role: goal }]
`;

/** The demo's models and question, with keys, and with what a console shows of it after some time. */
export interface WatchedDemo extends AsyncDisposable {
  readonly gateway: RunningGateway;
  /** The control plane's address. */
  readonly admin: string;
  /** Keys, as their holders send them. */
  readonly keys: { readonly reader: string; readonly writer: string };
  /** Sends scans, each of a user who wasn't there before, and tells what came of them. */
  send(requests: number): Promise<void>;
  /** What one user's request says of itself. */
  answerTo(user: string): Promise<{ readonly experiment: string | null; readonly reason: string | null }>;
  /** Asks the control plane for something, as who may change all. @param path relative to `/api/` */
  tell(path: string, body: object): Promise<Response>;
  /** Moments of which it is kept what the experiment said then. */
  pointsKept(): Promise<number>;
}

export async function startWatchedDemo(weights: readonly [number, number]): Promise<WatchedDemo> {
  const [reader, writer] = [createKey(), createKey()];
  const gateway = await startGateway({
    admin: true,
    repository: join(DEMO_FOLDER, 'models'),
    config: 'auth: { keys: ./keys.yaml }\nstate: sqlite:./state.db',
    files: {
      'experiments/digits.yaml': experimentOf(weights),
      'keys.yaml':
        keysYaml([reader, 'scopes: ["admin:read"]']) +
        `  - { id: "${writer.id}", name: "on call", hash: "${writer.hash}", scopes: [infer, outcomes, "admin:read", "admin:write"] }\n`,
    },
  });
  const scans = await loadScans();
  const headers = { authorization: `Bearer ${writer.text}` };
  const admin = `http://${gateway.server.bound.admin ?? ''}`;
  let users = 0;
  const predict = (user: string, scan: Scan): Promise<Response> =>
    fetch(gateway.url('/predict/digits'), {
      method: 'POST',
      headers: { ...headers, 'x-user-id': user, 'content-type': 'image/png' },
      body: scan.png,
    });
  const send = async (requests: number): Promise<void> => {
    const end = users + requests;
    const outcomes: object[] = [];
    const sendOn = async (): Promise<void> => {
      while (users < end) {
        const user = users++;
        const scan = scans[user % scans.length];
        if (scan === undefined) throw new Error('the demo has no scans');
        const response = await predict(`user-${user}`, scan);
        const answer = (await response.json()) as { predictions: { class_id: number }[] };
        outcomes.push({
          prediction_id: response.headers.get('x-prediction-id'),
          metric: 'correct',
          value: answer.predictions[0]?.class_id === scan.digit,
        });
      }
    };
    await Promise.all(Array.from({ length: 8 }, sendOn));
    await fetch(gateway.url('/v1/outcomes'), { method: 'POST', headers, body: JSON.stringify(outcomes) });
  };
  return {
    gateway,
    admin,
    keys: { reader: reader.text, writer: writer.text },
    send,
    async answerTo(user) {
      const [scan] = scans;
      if (scan === undefined) throw new Error('the demo has no scans');
      const answer = await predict(user, scan);
      await answer.arrayBuffer();
      return {
        experiment: answer.headers.get('x-experiment'),
        reason: answer.headers.get('x-experiment-reason'),
      };
    },
    tell: (path, body) =>
      fetch(`${admin}/api/${path}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    async pointsKept() {
      const { results, experiments } = gateway.server.gateway;
      const experiment = experiments.current.byKey.get('digits-cnn');
      return experiment === undefined ? 0 : (await results.history.historyOf(experiment)).points.length;
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

interface Scan {
  readonly png: Buffer;
  readonly digit: number;
}

async function loadScans(): Promise<readonly Scan[]> {
  const images = join(DEMO_FOLDER, 'images');
  const labels = JSON.parse(await readFile(join(images, 'labels.json'), 'utf8')) as Record<string, number>;
  return Promise.all(
    Object.entries(labels).map(async ([file, digit]) => ({ png: await readFile(join(images, file)), digit })),
  );
}
