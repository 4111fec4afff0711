import type { ImageSpec, Size } from './image-spec.ts';

/** A part of an image, in whole pixels. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** torchvision's `Resize`: one number is the shorter side, and the longer one is cut to whole pixels. */
export function resizedSize([height, width]: Size, resize: ImageSpec['resize']): Size {
  if (resize === undefined) return [height, width];
  if (typeof resize !== 'number') return resize;
  const longer = (long: number, short: number): number => Math.max(1, Math.trunc((resize * long) / short));
  return height <= width ? [resize, longer(width, height)] : [longer(height, width), resize];
}

/** torchvision's `CenterCrop`: what is kept of an image; it begins before the border where more is kept than there is. */
export function centreOf([height, width]: Size, crop: Size | undefined): Region {
  if (crop === undefined) return { top: 0, left: 0, height, width };
  return {
    top: marginOf(height, crop[0]),
    left: marginOf(width, crop[1]),
    height: crop[0],
    width: crop[1],
  };
}

/** Halves go to the even pixel, as Python rounds; padding is cut down. */
function marginOf(side: number, kept: number): number {
  const margin = (side - kept) / 2;
  if (margin < 0) return Math.ceil(margin);
  const nearest = Math.round(margin);
  return margin % 1 === 0.5 && nearest % 2 === 1 ? nearest - 1 : nearest;
}

/** The part of a region that lies within an image of that size. */
export function within({ top, left, height, width }: Region, [imageHeight, imageWidth]: Size): Region {
  const [firstRow, firstColumn] = [Math.max(0, top), Math.max(0, left)];
  return {
    top: firstRow,
    left: firstColumn,
    height: Math.min(imageHeight, top + height) - firstRow,
    width: Math.min(imageWidth, left + width) - firstColumn,
  };
}
