import { Type } from 'typebox';
import { DATATYPES } from '../../../backends/tensor/datatype.ts';

/** Tensors as the Open Inference Protocol writes them in JSON. */

export const Name = Type.String();
export const Shape = Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 32 });
export const Datatype = Type.Enum([...DATATYPES]);
export const Data = Type.Array(Type.Unknown(), {
  description: 'The elements in row-major order, flat or nested as the shape. BYTES are strings.',
});
const Parameters = Type.Record(Type.String(), Type.Unknown());

/** The answer of the Open Inference Protocol. */
export const InferAnswer = Type.Object(
  {
    model_name: Name,
    model_version: Type.String(),
    id: Type.Optional(Type.String()),
    outputs: Type.Array(
      Type.Object({
        name: Name,
        datatype: Datatype,
        shape: Shape,
        data: Type.Optional(Data),
        parameters: Type.Optional(Parameters),
      }),
    ),
  },
  { $id: 'InferAnswer' },
);
