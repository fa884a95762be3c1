import { toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';

/**
 * JSON Schema, as OpenAPI and AsyncAPI have it.
 * @param schemas where what has a `ref` in its metadata goes, by that name
 */
export function schemaObject(
  schema: v.GenericSchema,
  schemas: Record<string, object>,
  typeMode: 'input' | 'ignore' = 'ignore',
) {
  const { $schema: _, ...object } = toJsonSchema(schema, {
    typeMode,
    errorMode: 'ignore',
    overrideAction({ valibotAction, jsonSchema }) {
      if (valibotAction.type !== 'metadata') return undefined;
      const { ref, ...named } = jsonSchema as typeof jsonSchema & { ref?: string };
      if (ref === undefined) return undefined;
      schemas[ref] = named;
      return { $ref: `#/components/schemas/${ref}` };
    },
  });
  return object;
}
