import type { Entry } from '../entry.ts';
import { grpcCalls } from './grpc-calls.ts';
import { grpcInfer } from './grpc.ts';
import { httpHeads } from './heads.ts';
import {
  images,
  multipart,
  ofrep,
  outcomes,
  torchserve,
  v2Binary,
  v2BinaryStrings,
  v2Integers,
  v2Json,
  v2Strings,
} from './http.ts';
import {
  experimentYaml,
  keysYaml,
  modelConfigProto,
  modelConfigYaml,
  onnxGraphs,
  predictionIds,
  signalboxYaml,
  torchArchives,
  torchserveProperties,
} from './readers.ts';

/** Every way in, and the share of a campaign's inputs that it gets. What costs more gets fewer. */
export const ENTRIES: readonly { readonly entry: Entry; readonly share: number }[] = [
  { entry: v2Json, share: 8 },
  { entry: v2Integers, share: 4 },
  { entry: v2Strings, share: 4 },
  { entry: v2Binary, share: 8 },
  { entry: v2BinaryStrings, share: 4 },
  { entry: grpcInfer, share: 10 },
  { entry: grpcCalls, share: 6 },
  { entry: multipart, share: 6 },
  { entry: images, share: 6 },
  { entry: torchserve, share: 3 },
  { entry: ofrep, share: 3 },
  { entry: outcomes, share: 3 },
  { entry: httpHeads, share: 6 },
  { entry: signalboxYaml, share: 5 },
  { entry: experimentYaml, share: 5 },
  { entry: modelConfigYaml, share: 5 },
  { entry: modelConfigProto, share: 6 },
  { entry: keysYaml, share: 4 },
  { entry: predictionIds, share: 5 },
  { entry: torchArchives, share: 2 },
  { entry: torchserveProperties, share: 3 },
  { entry: onnxGraphs, share: 2 },
];

/** The inputs of each entry, of so many in all. */
export function shared(total: number): readonly { readonly entry: Entry; readonly inputs: number }[] {
  const shares = ENTRIES.reduce((sum, { share }) => sum + share, 0);
  return ENTRIES.map(({ entry, share }) => ({ entry, inputs: Math.ceil((total * share) / shares) }));
}
