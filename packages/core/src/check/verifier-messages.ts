import type { PackVerdict, VerifierKeys } from './verify-pack.ts';

export type ToVerifier =
  | { readonly type: 'setup'; readonly keys: VerifierKeys }
  | { readonly type: 'pack'; readonly name: string; readonly object: Uint8Array };

/** Answers come in the order of the packs. */
export type FromVerifier =
  { readonly type: 'verdict'; readonly verdict: PackVerdict } | { readonly type: 'failed'; readonly message: string };
