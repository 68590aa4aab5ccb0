import { ERROR_TABLE } from '@cairn/core';
import { z } from 'zod';

import { PROBLEM, PROBLEM_MEDIA_TYPE } from './problem.ts';
import type { AnswerRow, Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

/** Name and version of the document. */
const INFO = {
  title: 'Cairn management API',
  version: '1',
  description:
    'Backups for control panels. Errors are problem+json. A page sends the header x-cairn-forgery beside its cookie with whatever ' +
    'changes something; programs send a token.',
  license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
};

/** The OpenAPI 3.1 document of the routes, made of the schemas by which requests are judged. */
export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = (paths[route.path] ??= {});
    path[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: INFO,
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Problem: { ...schemaOf(PROBLEM, 'output'), description: `code is one of ${codes()}` } },
      responses: {
        Problem: {
          description: 'An error.',
          content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      },
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: 'cairn', description: 'With https its name is __Host-cairn.' },
        token: { type: 'http', scheme: 'bearer' },
      },
    },
  };
}

function codes(): string {
  return Object.keys(ERROR_TABLE)
    .map((code) => code.toLowerCase().replaceAll('_', '-'))
    .join(', ');
}

function operation(route: Route): Json {
  const { params, query, body } = route.request;
  const credentials = route.only === 'session' ? [{ session: [] }] : [{ session: [] }, { token: [] }];
  const bounds = route.gate === 'open' ? '' : ' Answers 423 while a recovery key is not yet saved.';
  return {
    operationId: operationId(route),
    summary: route.summary,
    description: `Right: ${route.right}.${bounds}`,
    tags: [route.path.split('/')[3] ?? ''],
    security: route.right === 'public' ? [] : credentials,
    ...(params === undefined && query === undefined
      ? {}
      : { parameters: [...parameters('path', params), ...parameters('query', query)] }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(route.responses).map(([status, row]) => [status, answer(row)])),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

/** `GET /api/v1/repositories/{repository}/archives` → `get-repositories-repository-archives`. */
export function operationId({ method, path }: Pick<Route, 'method' | 'path'>): string {
  const words = path.replace('/api/v1/', '').replaceAll(/[{}]/g, '').split(/[/.]/);
  return [method.toLowerCase(), ...words].join('-');
}

function parameters(where: 'path' | 'query', schema: z.ZodType | undefined): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(typeof property['description'] === 'string' ? { description: property['description'] } : {}),
    schema: property,
  }));
}

function answer({ description, schema, mediaType = 'application/json' }: AnswerRow): Json {
  if (schema === undefined && mediaType === 'application/json') return { description };
  return { description, content: { [mediaType]: schema === undefined ? {} : { schema: schemaOf(schema, 'output') } } };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });
  return json;
}
