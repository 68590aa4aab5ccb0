/** A JSON answer, with the very status that its route promises. */
export function reply<S extends number, B>(status: S, body: B): { readonly status: S; readonly body: B } {
  return { status, body };
}
