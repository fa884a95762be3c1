import { join } from 'node:path';
import type { IDeployment, IStatefulSet } from 'kubernetes-models/apps/v1';
import type { IJob } from 'kubernetes-models/batch/v1';
import type { IContainer, IPodTemplateSpec } from 'kubernetes-models/v1';
import { findBinaries } from '../../src/commands/servers/binaries.ts';
import { finished } from '../../src/commands/servers/finished.ts';
import { repository } from './repository.ts';

/** What every object has, and the fields of its kind. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Labels };
  [field: string]: unknown;
}

/** What makes pods. */
export type Workload = KubernetesObject & (IDeployment | IStatefulSet | IJob);

export type Labels = Record<string, string>;

export interface Selector {
  matchLabels?: Labels;
  matchExpressions?: { key: string; operator: string; values: string[] }[];
}

/** What `kubectl apply -k` would send, without a cluster. */
export async function render(overlay: string): Promise<KubernetesObject[]> {
  const { kubectl } = findBinaries();
  if (kubectl === undefined) throw new Error('kubectl is not on this machine');
  const run = Bun.spawn([kubectl, 'kustomize', join(repository, 'deploy/kubernetes/overlays', overlay)], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const { status: code, out, err } = await finished(run);
  // A warning is on standard error too: of a field that the next version of kustomize has not.
  if (code !== 0 || err !== '')
    throw new Error(`kubectl kustomize (1.27 or newer) ended with ${code}: ${err}`);
  return Bun.YAML.parse(out) as KubernetesObject[];
}

/** Custom resources whose schemas npm has. */
const customSchemas: Readonly<Record<string, () => Promise<object>>> = {
  'keda.sh/v1alpha1': () => import('@kubernetes-models/keda/keda.sh/v1alpha1'),
  'monitoring.coreos.com/v1': () => import('@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1'),
};

interface Model {
  validate(): void;
}

/**
 * What is wrong with an object by its kind's published schema, fields that the schema does not know included.
 * @returns undefined where there is no schema
 */
export async function problemsOf(object: KubernetesObject): Promise<string[] | undefined> {
  const { apiVersion, kind } = object;
  const [group = ''] = apiVersion.split('/');
  // Groups of Kubernetes' own have a name of one word, or end in its domain.
  const isOwn = !group.includes('.') || group.endsWith('.k8s.io');
  const found = isOwn ? import(`kubernetes-models/${apiVersion}`) : customSchemas[apiVersion]?.();
  if (found === undefined) return undefined;
  const models = (await found) as Record<string, new (data: unknown) => Model>;
  const Kind = models[kind];
  if (Kind === undefined) return [`${apiVersion} has no ${kind}`];
  const unread = new Set<string>();
  const model = watched(new Kind(object), '', unread) as Model;
  try {
    model.validate();
  } catch (error) {
    return [String(error)];
  }
  return [...unread].map((path) => `${path} is unknown`);
}

/** The schemas refuse no unknown field, but what they know they read: what is left in `unread` they don't know. */
function watched(value: unknown, path: string, unread: Set<string>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map<PropertyKey, unknown>();
  for (const [name, field] of Object.entries(value)) {
    unread.add(`${path}/${name}`);
    fields.set(name, watched(field, `${path}/${name}`, unread));
  }
  return new Proxy(value, {
    get(target, name, receiver) {
      if (!fields.has(name)) return Reflect.get(target, name, receiver);
      unread.delete(`${path}/${String(name)}`);
      return fields.get(name);
    },
  });
}

export const of = (objects: KubernetesObject[], ...kinds: string[]) =>
  objects.filter((object) => kinds.includes(object.kind));
export const workloads = (objects: KubernetesObject[]) =>
  of(objects, 'Deployment', 'StatefulSet', 'Job') as Workload[];
const templateOf = (workload: Workload) => workload.spec?.template as IPodTemplateSpec;
export const podOf = (workload: Workload) => {
  const pod = templateOf(workload).spec;
  if (!pod) throw new Error(`${workload.metadata.name} has no pods`);
  return pod;
};
const labelsOf = (workload: Workload) => (templateOf(workload).metadata?.labels ?? {}) as Labels;
export const containersOf = (workload: Workload) => podOf(workload).containers as IContainer[];
export const isConfab = (workload: Workload) => labelsOf(workload)['app.kubernetes.io/name'] === 'confab';

const selects = ({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? ''));
/** The workloads whose pods a selector takes. */
export const chosen = (objects: KubernetesObject[], selector: Selector) =>
  workloads(objects).filter((workload) => selects(selector, labelsOf(workload)));
export const namesOf = (objects: { metadata: { name: string } }[]) =>
  objects.map(({ metadata }) => metadata.name);
export const portNames = (workload: Workload) =>
  containersOf(workload).flatMap(({ ports = [] }) => ports.map(({ name }) => name));

export type Secret = KubernetesObject & { stringData: Labels };

/** What `secrets.sh` prints. */
export async function makeSecrets(): Promise<Secret[]> {
  const text = await Bun.$`sh ${join(repository, 'deploy/kubernetes/secrets.sh')}`.text();
  return (Bun.YAML.parse(text) as { items: Secret[] }).items;
}

/** A container's environment, as it comes from ConfigMaps and Secrets. */
export function environmentOf(
  objects: KubernetesObject[],
  secrets: readonly Secret[],
  container: IContainer,
): Labels {
  const maps = (container.envFrom ?? []).map(({ configMapRef }) => {
    const map = of(objects, 'ConfigMap').find(({ metadata }) => metadata.name === configMapRef?.name);
    if (!map) throw new Error(`${configMapRef?.name} is not there`);
    return map.data as Labels;
  });
  const own = (container.env ?? []).flatMap(({ name, value, valueFrom }) => {
    const ref = valueFrom?.secretKeyRef;
    if (!ref) return [[name, value ?? '']];
    const secret = secrets.find(({ metadata }) => metadata.name === ref.name)?.stringData[ref.key];
    if (secret === undefined && !ref.optional) throw new Error(`${ref.name} has no ${ref.key}`);
    return secret === undefined ? [] : [[name, secret]];
  });
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Labels;
}
