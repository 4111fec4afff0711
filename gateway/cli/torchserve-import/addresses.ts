/** `listen` and `tls` of signalbox.yaml. */
export interface ConvertedAddresses {
  readonly listen: Readonly<Record<'http' | 'grpc' | 'metrics' | 'admin', string>>;
  readonly tls: object | undefined;
  readonly notes: readonly string[];
}

const HOST = '127.0.0.1';

/** Where TorchServe listens if its file says nothing. */
const DEFAULTS = {
  inference_address: `http://${HOST}:8080`,
  management_address: `http://${HOST}:8081`,
  metrics_address: `http://${HOST}:8082`,
} as const;

/** @throws Error that names the address that can't be read */
export function listenOf(properties: ReadonlyMap<string, string>): ConvertedAddresses {
  const http = addressAt(properties, 'inference_address');
  const admin = addressAt(properties, 'management_address');
  const metrics = addressAt(properties, 'metrics_address');
  const grpcHost = properties.get('grpc_inference_address') ?? HOST;
  const grpcPort = properties.get('grpc_inference_port') ?? '7070';
  if (!/^[0-9]{1,5}$/.test(grpcPort))
    throw new Error(`grpc_inference_port is ${JSON.stringify(grpcPort)}; expected a port`);
  const notes: string[] = [
    `grpc_inference_port: what listens there speaks the Open Inference Protocol (docs/grpc.md), not TorchServe's own`,
  ];
  for (const key of ['grpc_management_address', 'grpc_management_port']) {
    const value = properties.get(key);
    if (value !== undefined)
      notes.push(`${key}=${value}: models are managed over HTTP, or by the repository calls of listen.grpc`);
  }
  const planes = { http, admin };
  const encrypted = Object.entries(planes).flatMap(([plane, { isTls }]) => (isTls ? [plane] : []));
  const [cert, key] = [properties.get('certificate_file'), properties.get('private_key_file')];
  if (encrypted.length > 0 && (cert === undefined || key === undefined)) {
    throw new Error(
      'an address is https, and certificate_file and private_key_file are not both there; a keystore has to become these first ' +
        '(openssl pkcs12 -in keystore.p12 -out cert.pem -nodes)',
    );
  }
  if (metrics.isTls)
    notes.push('metrics_address is https: metrics are told over plain HTTP; put a proxy in front');
  return {
    listen: {
      http: http.address,
      grpc: `${bracketed(grpcHost)}:${grpcPort}`,
      metrics: metrics.address,
      admin: admin.address,
    },
    tls:
      encrypted.length === 0
        ? undefined
        : Object.fromEntries(encrypted.map((plane) => [plane, { cert, key }])),
    notes,
  };
}

interface ReadAddress {
  /** `host:port`. */
  readonly address: string;
  readonly isTls: boolean;
}

/** @throws Error */
function addressAt(properties: ReadonlyMap<string, string>, name: keyof typeof DEFAULTS): ReadAddress {
  const text = properties.get(name) ?? DEFAULTS[name];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new Error(
      `${name} is ${JSON.stringify(text)}; expected an address as http://127.0.0.1:8080 (Unix sockets are not listened on)`,
    );
  }
  const isTls = url.protocol === 'https:';
  return { address: `${url.hostname}:${url.port || (isTls ? '443' : '80')}`, isTls };
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
