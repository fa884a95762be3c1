import { describe, expect, test } from 'bun:test';
import { usualGraceMs } from '../../src/process/lifecycle.ts';
import { isVariable, parseConfig } from '../../src/shared/config.ts';
import { readKong } from '../support/kong.ts';
import {
  chosen,
  containersOf,
  environmentOf,
  isConfab,
  type KubernetesObject,
  type Labels,
  makeSecrets,
  namesOf,
  of,
  podOf,
  portNames,
  problemsOf,
  render,
  type Selector,
  type Workload,
  workloads,
} from '../support/kubernetes.ts';
import { readText } from '../support/repository.ts';

const [kind, production, secrets, { scripts }] = await Promise.all([
  render('kind'),
  render('production'),
  makeSecrets(),
  readText('package.json').then((text) => JSON.parse(text) as { scripts: Record<string, string> }),
]);
/** What the tests of `production` look at. */
const scaling = new Set(['HorizontalPodAutoscaler', 'ScaledObject', 'PodMonitor']);
const overlays = [
  ['kind', kind],
  ['production', production],
] as const;

test('an object that is not as its schema says is found, and so is a field that nobody knows', async () => {
  const [api] = of(production, 'Deployment').filter(({ metadata }) => metadata.name === 'confab-api');
  const text = JSON.stringify(api);
  const wrong = async (from: string, to: string) =>
    problemsOf(JSON.parse(text.replace(from, to)) as KubernetesObject);
  expect(await wrong('', '')).toEqual([]);
  expect(await wrong('"maxSurge"', '"maxSurges"')).toEqual([
    '/spec/strategy/rollingUpdate/maxSurges is unknown',
  ]);
  expect(await wrong('"readOnlyRootFilesystem"', '"readOnlyRootFileSystem"')).toEqual([
    '/spec/template/spec/containers/0/securityContext/readOnlyRootFileSystem is unknown',
  ]);
  expect((await wrong('"containerPort":3000', '"containerPort":"3000"'))?.join()).toContain('integer');
  expect((await wrong('"selector"', '"selectors"'))?.join()).toContain('selector');
});

describe.each(overlays)('%s', (name, objects) => {
  test('is as the published schemas say, but for what has none on npm', async () => {
    const without: string[] = [];
    for (const object of objects) {
      const problems = await problemsOf(object);
      if (problems === undefined) without.push(`${object.apiVersion} ${object.kind}`);
      else expect({ [object.metadata.name]: problems }).toEqual({ [object.metadata.name]: [] });
    }
    const expected = ['postgresql.cnpg.io/v1 Cluster', 'rabbitmq.com/v1beta1 RabbitmqCluster'];
    expect(without.sort()).toEqual(name === 'kind' ? [] : expected);
    const operations = await readText('docs/operations.md');
    for (const one of without) expect(operations).toContain(`\`${one.split(' ')[1]}\``);
  });

  test('each process has what belongs to it, and all of them the policies of the network', () => {
    const ofProcess = (process: string) =>
      objects
        .filter(({ metadata: { labels = {} } }) => labels['app.kubernetes.io/component'] === process)
        .filter(({ metadata: { labels = {} } }) => labels['app.kubernetes.io/name'] === 'confab')
        .map((object) => object.kind)
        .filter((kind) => !scaling.has(kind))
        .sort();
    const served = ['Deployment', 'PodDisruptionBudget', 'Service'];
    expect(['api', 'gateway', 'worker', 'migrate'].map(ofProcess)).toEqual([
      served,
      served,
      ['Deployment', 'PodDisruptionBudget'],
      ['Job'],
    ]);
    const policies = of(objects, 'NetworkPolicy') as (KubernetesObject & {
      spec: { podSelector: Selector; policyTypes: string[] };
    })[];
    const confabs = namesOf(workloads(objects).filter(isConfab)).sort();
    const shut = ['Ingress', 'Egress'].map((type) => {
      const some = policies.filter(({ spec }) => spec.policyTypes.includes(type));
      const closed = new Set(some.flatMap(({ spec }) => namesOf(chosen(objects, spec.podSelector))));
      return confabs.filter((one) => closed.has(one));
    });
    expect(shut).toEqual([confabs, confabs]);
  });

  test('each is there once, in one namespace', () => {
    const ids = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(ids).size).toBe(ids.length);
    const namespaced = objects.filter((object) => object.kind !== 'Namespace');
    expect([...new Set(namespaced.map(({ metadata }) => metadata.namespace))]).toEqual(['confab']);
  });

  test('each process reads variables that exist, and starts in production with the Secrets that are made', () => {
    const servers = { api: true, worker: true, gateway: false, migrate: false };
    for (const [process, usesRabbitMq] of Object.entries(servers)) {
      const workload = workloads(objects).find(({ metadata }) => metadata.name === `confab-${process}`);
      const [container] = workload ? containersOf(workload) : [];
      if (!container) throw new Error(`there is no ${process}`);
      const environment = environmentOf(objects, secrets, container);
      expect(Object.keys(environment).filter((variable) => !isVariable(variable))).toEqual([]);
      const config = parseConfig(environment, {
        needsSecret: process === 'api' || process === 'gateway',
        servers: [
          'postgres',
          ...(usesRabbitMq ? (['rabbitmq'] as const) : []),
          ...(process === 'migrate' ? [] : (['redis'] as const)),
        ],
      });
      expect(config).toMatchObject({ environment: 'production', trustProxy: true, warnings: [] });
      // Who stores messages signs no tokens, and who does not publish has no password of RabbitMQ.
      expect('JWT_SECRET' in environment).toBe(process === 'api' || process === 'gateway');
      expect('RABBITMQ_PASSWORD' in environment).toBe(usesRabbitMq);
    }
  });

  test('the commands are those of package.json', () => {
    const commands = Object.values(scripts);
    for (const workload of workloads(objects).filter(isConfab))
      for (const { command = [] } of containersOf(workload)) expect(commands).toContain(command.join(' '));
  });

  test('what is served where: selectors find their pods, ports have names', () => {
    for (const workload of workloads(objects)) {
      if (workload.kind === 'Job') continue;
      const { selector } = workload.spec as { selector: Selector };
      expect(namesOf(chosen(objects, selector))).toEqual([workload.metadata.name]);
    }
    for (const service of of(objects, 'Service')) {
      const { selector, ports } = service.spec as { selector: Labels; ports: { targetPort: string }[] };
      const [behind, ...others] = chosen(objects, { matchLabels: selector });
      expect({ service: service.metadata.name, others }).toEqual({
        service: service.metadata.name,
        others: [],
      });
      for (const { targetPort } of ports) expect(behind && portNames(behind)).toContain(targetPort);
    }
    for (const { spec } of of(objects, 'PodDisruptionBudget'))
      expect(chosen(objects, (spec as { selector: Selector }).selector)).toHaveLength(1);
    for (const policy of of(objects, 'NetworkPolicy', 'PodMonitor')) {
      const {
        podSelector,
        selector,
        ingress = [],
        podMetricsEndpoints = [],
      } = policy.spec as {
        podSelector?: Selector;
        selector?: Selector;
        ingress?: { ports?: { port: string }[] }[];
        podMetricsEndpoints?: { port: string }[];
      };
      const found = chosen(objects, podSelector ?? selector ?? {});
      expect(found.length).toBeGreaterThan(0);
      const ports = [...ingress.flatMap(({ ports = [] }) => ports), ...podMetricsEndpoints];
      for (const { port } of ports) for (const workload of found) expect(portNames(workload)).toContain(port);
    }
  });

  test('Kong finds the api and the gateways by the names that its file has', async () => {
    const { services, upstreams } = await readKong('kong.yml');
    const addresses = of(objects, 'Service').flatMap(({ metadata, spec }) =>
      (spec as { ports: { port: number }[] }).ports.map(({ port }) => `${metadata.name}:${port}`),
    );
    expect(addresses).toContain(new URL(services[0]?.url ?? '').host);
    expect(addresses).toContain(upstreams[0]?.targets[0]?.target ?? '');
  });

  test('no container is root, none writes its own files, none has a right that it does not need', () => {
    for (const workload of workloads(objects)) {
      const pod = podOf(workload);
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(pod.securityContext?.runAsUser).toBeGreaterThan(0);
      const claims =
        (workload.spec as { volumeClaimTemplates?: KubernetesObject[] }).volumeClaimTemplates ?? [];
      const volumes = [...(pod.volumes ?? []).map(({ name }) => name), ...namesOf(claims)];
      for (const container of containersOf(workload)) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(container.resources).toMatchObject({
          requests: { cpu: expect.anything(), memory: expect.anything() },
          limits: { memory: expect.anything() },
        });
        expect(container.image).toMatch(/:[\w.-]+$/);
        expect(container.image).not.toEndWith(':latest');
        for (const mount of container.volumeMounts ?? []) expect(volumes).toContain(mount.name);
      }
    }
  });

  test('a process is replaced when the new one is ready, and has the time to leave', () => {
    for (const workload of of(objects, 'Deployment') as Workload[]) {
      const { strategy } = workload.spec as { strategy: { rollingUpdate: object } };
      expect(strategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
      if (!isConfab(workload)) continue;
      const { terminationGracePeriodSeconds } = podOf(workload);
      for (const { lifecycle, startupProbe, livenessProbe, readinessProbe } of containersOf(workload)) {
        const preStop = lifecycle?.preStop?.sleep?.seconds ?? 0;
        expect(preStop).toBe(workload.metadata.name === 'confab-worker' ? 0 : 10);
        expect(terminationGracePeriodSeconds).toBe(45);
        expect(preStop + usualGraceMs / 1000).toBeLessThan(45);
        const paths = [startupProbe, livenessProbe, readinessProbe].map((probe) => probe?.httpGet?.path);
        expect(paths).toEqual(['/healthz', '/healthz', '/readyz']);
        // PostgreSQL and RabbitMQ are waited for for a minute each.
        expect((startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0)).toBeGreaterThan(
          120,
        );
      }
    }
  });
});
