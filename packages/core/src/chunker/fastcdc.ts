/** Bytes: least, wanted and greatest length of a chunk. */
export interface ChunkerParameters {
  readonly min: number;
  readonly average: number;
  readonly max: number;
}

/** Constants of the cut search that follow from the parameters (format page, section 4.3). */
export interface CutRule extends ChunkerParameters {
  readonly strictMask: number;
  readonly looseMask: number;
  readonly normalFloor: number;
}

export function cutRule(parameters: ChunkerParameters): CutRule {
  const bits = Math.round(Math.log2(parameters.average));
  return {
    ...parameters,
    strictMask: 2 ** (bits + 1) - 1,
    looseMask: 2 ** (bits - 1) - 1,
    normalFloor: parameters.average - Math.min(parameters.min + Math.ceil(parameters.min / 2), parameters.average),
  };
}

/**
 * Length of the first chunk of `bytes[start..end]`. This plain form defines the algorithm.
 * @param table 256 words of 31 bits.
 */
export function cutLength(bytes: Uint8Array, start: number, end: number, table: Int32Array, rule: CutRule): number {
  const length = Math.min(end - start, rule.max);
  if (end - start <= rule.min) return end - start;
  const normal = start + Math.min(rule.normalFloor, length);
  const stop = start + length;
  let hash = 0;
  let at = start + rule.min;
  const { strictMask, looseMask } = rule;
  for (; at < normal; at++) {
    hash = ((hash >>> 1) + (table[bytes[at] as number] as number)) | 0;
    if ((hash & strictMask) === 0) return at + 1 - start;
  }
  for (; at < stop; at++) {
    hash = ((hash >>> 1) + (table[bytes[at] as number] as number)) | 0;
    if ((hash & looseMask) === 0) return at + 1 - start;
  }
  return length;
}
