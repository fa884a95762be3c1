import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { AskedApp } from './asked.ts';

interface MediaType {
  schema: object;
}
export interface Operation {
  operationId: string;
  tags: string[];
  security: Record<string, string[]>[];
  requestBody?: { content: Record<string, MediaType> };
  responses: Record<string, { content?: Record<string, MediaType>; headers?: Record<string, unknown> }>;
}
export interface ApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: Record<string, object> };
}

/** Holds every answer of the running app against the document that it serves. */
export interface Documented {
  document: ApiDocument;
  /** @throws Error when the answer is not as documented */
  request(path: string, init: RequestInit): Promise<Response>;
  /** `<operationId> <status>` of all that was answered. */
  seen: Set<string>;
}

export async function createDocumented(api: AskedApp): Promise<Documented> {
  const document = (await (await api.request('/openapi.json')).json()) as ApiDocument;
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(document, 'document');
  const validators = new Map<string, ValidateFunction>();
  const seen = new Set<string>();

  function validatorOf(...place: string[]): ValidateFunction {
    const pointer = place.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')));
    const ref = `document#/${pointer.join('/')}`;
    const known = validators.get(ref) ?? ajv.compile({ $ref: ref });
    validators.set(ref, known);
    return known;
  }

  function pathOf(path: string): string | undefined {
    const given = path.split('?', 1)[0]?.split('/') ?? [];
    const matches = Object.keys(document.paths).filter((pattern) => {
      const steps = pattern.split('/');
      return (
        steps.length === given.length && steps.every((step, at) => step.startsWith('{') || step === given[at])
      );
    });
    // Fixed words win over parameters.
    return matches.sort((a, b) => a.split('{').length - b.split('{').length)[0];
  }

  return {
    document,
    seen,
    async request(path, init) {
      const answer = await api.request(path, init);
      const method = (init.method ?? 'GET').toLowerCase();
      const pattern = pathOf(path);
      const operation = pattern === undefined ? undefined : document.paths[pattern]?.[method];
      if (pattern === undefined || operation === undefined) {
        if (![404, 405, 413].includes(answer.status)) {
          throw new Error(`${method} ${path} is not in the document and answered ${answer.status}`);
        }
        return answer;
      }

      const name = `${operation.operationId} ${answer.status}`;
      const described = operation.responses[String(answer.status)];
      if (!described) throw new Error(`${name} is not in the document: ${await answer.text()}`);
      seen.add(name);
      const mediaType = answer.headers.get('content-type')?.split(';', 1)[0] ?? '';
      const text = await answer.clone().text();
      if (!described.content) {
        if (text !== '') throw new Error(`${name} has a body and none is documented`);
        return answer;
      }
      if (!described.content[mediaType]) throw new Error(`${name} answered ${mediaType || 'no type'}`);
      for (const header of Object.keys(described.headers ?? {})) {
        if (!answer.headers.has(header)) throw new Error(`${name} has no ${header}`);
      }
      if (mediaType.endsWith('json')) {
        const place = ['responses', String(answer.status), 'content', mediaType, 'schema'];
        const valid = validatorOf('paths', pattern, method, ...place);
        if (!valid(JSON.parse(text))) {
          throw new Error(`${name} is not as documented: ${ajv.errorsText(valid.errors)}\n${text}`);
        }
      }
      return answer;
    },
  };
}
