import { readFileSync } from 'node:fs';

/** One row of a table in `docs/reference/json.md`. */
interface Field {
  readonly name: string;
  readonly optional: boolean;
  readonly type: string;
}

const TIME = /^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

/** The shapes that the page documents, to hold real output against. */
export class JsonPage {
  private readonly shapes = new Map<string, readonly Field[]>();
  /** Command to the type that it prints. */
  readonly commands = new Map<string, string>();

  constructor(path: URL) {
    const text = readFileSync(path, 'utf8');
    for (const section of text.split(/^## /m).slice(1)) {
      const [heading = '', ...lines] = section.split('\n');
      const rows = lines.filter((line) => line.startsWith('| `')).map(cellsOf);
      if (heading.startsWith('Which')) {
        for (const [names = '', type = ''] of rows) {
          for (const [, name = ''] of names.matchAll(/`([^`]+)`/g)) this.commands.set(name, plainType(type));
        }
        continue;
      }
      const fields = rows.map(([name = '', type = '']) => ({
        name: name.replace(/[`?]/g, ''),
        optional: name.endsWith('?'),
        type: plainType(type),
      }));
      const base = /^An \[(\w+)\]\([^)]*\), and$/m.exec(section)?.[1];
      this.shapes.set(heading.trim(), [...(base === undefined ? [] : (this.shapes.get(base) ?? [])), ...fields]);
    }
  }

  /** What in `value` is not as the page says of `type`; empty when it is. */
  mistakes(type: string, value: unknown, where = type): string[] {
    const item = /^array of (.*)$/.exec(type)?.[1];
    if (item !== undefined) {
      if (!Array.isArray(value)) return [`${where} is no array`];
      return value.flatMap((one: unknown, i) => this.mistakes(item, one, `${where}[${i}]`));
    }
    const shape = this.shapes.get(type);
    if (shape !== undefined) return this.objectMistakes(shape, value, where);
    if (fits(type, value)) return [];
    return [`${where} is ${JSON.stringify(value)}, not ${type}`];
  }

  private objectMistakes(shape: readonly Field[], value: unknown, where: string): string[] {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${where} is no object`];
    const found = new Map<string, unknown>(Object.entries(value));
    const mistakes: string[] = [];
    for (const { name, optional, type } of shape) {
      if (found.has(name)) mistakes.push(...this.mistakes(type, found.get(name), `${where}.${name}`));
      else if (!optional) mistakes.push(`${where}.${name} is missing`);
      found.delete(name);
    }
    return [...mistakes, ...[...found.keys()].map((name) => `${where}.${name} is not documented`)];
  }
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** `array of [entry](#entry): more` → `array of entry`. */
function plainType(cell: string): string {
  return cell.replace(/\[(\w+)\]\([^)]*\)/, '$1').replace(/:.*$/, '');
}

function fits(type: string, value: unknown): boolean {
  switch (type) {
    case 'string':
    case 'boolean':
      return typeof value === type;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'time':
      return typeof value === 'string' && TIME.test(value);
    case 'map to integer':
      return typeof value === 'object' && value !== null && Object.values(value).every(Number.isSafeInteger);
    case 'any':
      return true;
    default:
      throw new Error(`docs/reference/json.md: ${type} is no type`);
  }
}
