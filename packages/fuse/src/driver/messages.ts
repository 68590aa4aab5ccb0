/** What the thread that reads requests sends: a request, or that there will be no more. */
export type FromRequestThread =
  { readonly request: Uint8Array<ArrayBuffer> } | { readonly ended: true } | { readonly failed: string };
