/** Waiting, as a port: a simulator lets hours pass at once. */
export interface Timer {
  /** Resolves after so many milliseconds, or as soon as the signal fires; never rejects. The caller looks at the signal. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
}
