import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';

import { openApiDocument } from '../src/http/openapi.ts';
import { ALL_ROUTES } from '../src/routes/index.ts';

/** As a client gets it. */
const document = JSON.parse(JSON.stringify(openApiDocument(ALL_ROUTES))) as {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly operationId: string; readonly parameters?: unknown }>>>
  >;
};

describe('the OpenAPI document', () => {
  it('is valid by the schema of OpenAPI 3.1', async () => {
    const validator = new Validator();
    const result = await validator.validate(document as never);
    expect(result).toMatchObject({ valid: true });
    expect(validator.version).toBe('3.1');
    // The validator sees what is wrong.
    const broken = { ...document, paths: { '/x': { get: { responses: { abc: {} } } } } };
    expect(await new Validator().validate(broken as never)).toMatchObject({ valid: false });
  });

  it('has every route once, and every part of its path', () => {
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
    );
    expect(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual(
      ALL_ROUTES.map(({ path, method }) => `${method} ${path}`).toSorted(),
    );
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { path, parameters } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const told = ((parameters ?? []) as { name: string; in: string }[]).filter((each) => each.in === 'path');
      expect(told.map(({ name }) => name).toSorted()).toEqual(inPath.toSorted());
    }
  });
});
