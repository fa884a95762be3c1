import { readYaml } from './repository.ts';

export interface Alert {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}

export async function readAlerts(): Promise<Alert[]> {
  const { groups } = await readYaml<{ groups: { rules: Alert[] }[] }>('deploy/prometheus/rules.yml');
  return groups.flatMap(({ rules }) => rules);
}
