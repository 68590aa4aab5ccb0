/** Nodes that are remembered, half a megabyte of them. More than that push each other out, and then cost a little more. */
const SLOTS = 65_536;

/**
 * Nodes of which it is known that they have no extended attributes: `ls -l` asks for each file whether it has some, twice.
 * Numbers of nodes never mean something else later, so what is in the table stays true.
 */
export class PlainNodes {
  private readonly nodes = new Float64Array(SLOTS);

  add(node: number): void {
    this.nodes[node % SLOTS] = node;
  }

  has(node: number): boolean {
    return this.nodes[node % SLOTS] === node;
  }
}
