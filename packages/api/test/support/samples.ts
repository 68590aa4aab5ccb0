/** A schema as the OpenAPI document has it. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
}

/** A value that a schema allows, patterns aside. */
export function sampleOf(schema: Schema): unknown {
  const [first] = schema.anyOf ?? schema.oneOf ?? [];
  if (first !== undefined) return sampleOf(first);
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return schema.enum[0];
  const [type] = [schema.type ?? 'string'].flat();
  switch (type) {
    case 'object':
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, sampleOf(one)]));
    case 'array':
      return Array.from({ length: Math.max(1, schema.minItems ?? 0) }, () => sampleOf(schema.items ?? {}));
    case 'integer':
    case 'number':
      return schema.minimum ?? 1;
    case 'boolean':
      return true;
    case 'null':
      return null;
    default:
      return 'a'.repeat(Math.max(1, schema.minLength ?? 1));
  }
}

/** Values of every type, and texts that programs stumble over. */
export const STRANGE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  1.5,
  2 ** 53,
  '',
  ' ',
  '\0',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a\r\nset-cookie: evil=1',
  '\u202e\ud800',
  '😀',
  "' OR 1=1 --",
  '${7*7}{{7*7}}',
  'x'.repeat(10_000),
  [],
  {},
  [[[[[[]]]]]],
  { __proto__: null, constructor: 1 },
  ['a', 1, null],
];

/** Texts for paths and queries. */
export const STRANGE_TEXTS = STRANGE.filter((value): value is string => typeof value === 'string');

/** The value with one thing in it wrong: each part in turn missing, strange, or accompanied by one that nobody knows. */
export function* mutations(value: unknown): Generator<unknown> {
  yield* STRANGE;
  if (Array.isArray(value)) {
    for (const strange of STRANGE) yield [strange];
    yield Array.from({ length: 2_000 }, () => value[0] as unknown);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  yield { ...value, unknown_name: 1 };
  for (const [name, part] of Object.entries(value)) {
    const { [name]: _, ...rest } = value as Record<string, unknown>;
    yield rest;
    for (const strange of STRANGE) yield { ...rest, [name]: strange };
    if (typeof part === 'object' && part !== null) {
      for (const mutated of mutations(part)) yield { ...rest, [name]: mutated };
    }
  }
}
