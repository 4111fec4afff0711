/** The upload can't become a tensor: the caller's mistake. */
export class InvalidImage extends Error {
  /** `too_large` where its pixels are more than are decoded for anyone. */
  readonly fault: 'undecodable' | 'too_large';

  constructor(fault: 'undecodable' | 'too_large', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'InvalidImage';
    this.fault = fault;
  }
}

/** @throws InvalidImage where `height * width` is more than `maxPixels` */
export function refuseMorePixels(what: string, height: number, width: number, maxPixels: number): void {
  if (height * width <= maxPixels) return;
  throw new InvalidImage('too_large', `${what} ${width}x${height} pixels; at most ${maxPixels} are decoded`);
}
