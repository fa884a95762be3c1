import { expect, test } from 'bun:test';
import { parseConfig } from '../../src/shared/config.ts';
import { metricTable } from '../../src/shared/metrics/table.ts';
import {
  containersOf,
  environmentOf,
  isConfab,
  type KubernetesObject,
  makeSecrets,
  of,
  render,
  workloads,
} from '../support/kubernetes.ts';
import { readText } from '../support/repository.ts';

const [production, secrets] = await Promise.all([render('production'), makeSecrets()]);
const scalers = of(production, 'HorizontalPodAutoscaler', 'ScaledObject') as (KubernetesObject & {
  spec: { scaleTargetRef: { name: string }; maxReplicas?: number; maxReplicaCount?: number };
})[];
const most = scalers.map(({ spec }) => spec.maxReplicas ?? spec.maxReplicaCount ?? 0);

test('api, gateway and worker are scaled, each by one thing', () => {
  expect(scalers.map(({ spec }) => spec.scaleTargetRef.name).sort()).toEqual([
    'confab-api',
    'confab-gateway',
    'confab-worker',
  ]);
  for (const { spec } of of(production, 'Deployment')) expect(spec).not.toHaveProperty('replicas');
});

test('what they are scaled by is measured, and read with the token that the processes ask for', () => {
  const text = JSON.stringify(scalers);
  const named = [...text.matchAll(/\bconfab_\w+/g)].map(([name]) => name);
  expect(named.sort()).toEqual(['confab_oldest_message_age_seconds', 'confab_sockets']);
  for (const name of named) expect(metricTable).toHaveProperty(name);
  const [monitor] = of(production, 'PodMonitor');
  expect(JSON.stringify(monitor)).toContain('"credentials":{"key":"METRICS_TOKEN","name":"confab"}');
  for (const workload of workloads(production).filter(isConfab)) {
    if (workload.kind === 'Job') continue;
    for (const container of containersOf(workload))
      expect(environmentOf(production, secrets, container)).toHaveProperty('METRICS_TOKEN');
  }
});

test('no worker is without a partition, and PostgreSQL has the connections that all of them want', async () => {
  const { partitionCount, database } = parseConfig({});
  expect(scalers.find(({ kind }) => kind === 'ScaledObject')?.spec.maxReplicaCount).toBe(partitionCount);
  const [cluster] = of(production, 'Cluster') as (KubernetesObject & {
    spec: { postgresql: { parameters: { max_connections: string } } };
  })[];
  const processes = most.reduce((sum, count) => sum + count + 1, 0);
  expect(Number(cluster?.spec.postgresql.parameters.max_connections)).toBeGreaterThan(
    processes * (database.maxConnections + 1) + 10,
  );
});

test("the servers' users may do what the documentation says, and no more", async () => {
  const [, rights = ''] =
    (await readText('docs/redis.md')).match(/^user confab on ><REDIS_PASSWORD> (.+)$/m) ?? [];
  const script = await readText('deploy/kubernetes/overlays/production/redis/redis.sh');
  expect(script).toContain(`user default on #$(hash "$REDIS_PASSWORD") ${rights}\n`);
  const [, names = ''] =
    (await readText('docs/rabbitmq.md')).match(/\*write\* and \*read\* for `(.+?)`/) ?? [];
  const [cluster] = of(production, 'RabbitmqCluster') as (KubernetesObject & {
    spec: { rabbitmq: { additionalConfig: string } };
  })[];
  const { additionalConfig = '' } = cluster?.spec.rabbitmq ?? {};
  for (const what of ['configure', 'write', 'read'])
    expect(additionalConfig).toContain(`default_permissions.${what} = ${names}\n`);
  expect(additionalConfig).toContain('default_user_tags.administrator = false\n');
});
