import { Type } from 'typebox';
import { Bytes, ROUTED_ERRORS } from '../openapi/common-docs.ts';

/** A form whose fields of that name hold an image each. */
export function imageForm(field: string) {
  return {
    schema: Type.Object(
      { [field]: Type.Union([Bytes, Type.Array(Bytes)], { description: 'An image, or several.' }) },
      { description: 'JPEG, PNG or WebP.' },
    ),
  };
}

/** What an image can be refused with. */
export const IMAGE_ERRORS = [
  'invalid_request',
  'invalid_image',
  'image_too_large',
  'no_image_calls',
  ...ROUTED_ERRORS,
] as const;
