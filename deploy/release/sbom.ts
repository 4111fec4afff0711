/**
 * Prints a bill of materials (CycloneDX 1.6) of what the gateway runs on and of what its console's bundle is made of, from the lockfile. `npm sbom --omit dev` is not used, as it leaves
 * out every package that a development tool needs too.
 */
import { fileURLToPath } from 'node:url';
import packageJson from '../../package.json' with { type: 'json' };
import { bundledPackages, runtimePackages } from './runtime-packages.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ref = (name: string, version: string): string => `pkg:npm/${name.replace('@', '%40')}@${version}`;

const { name, version, license } = packageJson;
const packages = [...(await runtimePackages(ROOT, true)), ...(await bundledPackages(ROOT))];
const components = packages.map((found) => {
  const [algorithm = '', digest = ''] = found.integrity.split('-');
  const purl = ref(found.name, found.version);
  return {
    type: 'library',
    'bom-ref': `${purl}#${found.path}`,
    name: found.name,
    version: found.version,
    scope: found.isOptional ? 'optional' : 'required',
    hashes: [
      { alg: algorithm.replace('sha', 'SHA-'), content: Buffer.from(digest, 'base64').toString('hex') },
    ],
    licenses: [{ expression: found.license }],
    purl,
  };
});
const bill = {
  bomFormat: 'CycloneDX',
  specVersion: '1.6',
  version: 1,
  metadata: {
    component: {
      type: 'application',
      'bom-ref': ref(name, version),
      name,
      version,
      licenses: [{ expression: license }],
    },
  },
  components,
};
process.stdout.write(`${JSON.stringify(bill, null, 2)}\n`);
