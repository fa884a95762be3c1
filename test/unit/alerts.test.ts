import { describe, expect, test } from 'bun:test';
import { errorTable } from '../../src/shared/errors.ts';
import { readAlerts } from '../support/alerts.ts';
import { expressionsOfDashboard, unknownNames } from '../support/known-metrics.ts';
import { namesIn } from '../support/promql.ts';
import { codeBlocks, readText, repository } from '../support/repository.ts';

const alerts = await readAlerts();
const runbooks = await readText('docs/runbooks.md');

test('what an expression names is found: metrics with their labels, and those that it is grouped by', () => {
  const expression =
    'sum by (le, a) (rate(x_bucket{b=~"p[0-9]+\\\\.q",c!=""}[5m])) / on (d) group_left (e) y offset 10m > 0.5 or vector(0)';
  expect(namesIn(expression)).toEqual({
    selectors: [
      {
        metric: 'x_bucket',
        matchers: [
          { label: 'b', operator: '=~', value: 'p[0-9]+\\\\.q' },
          { label: 'c', operator: '!=', value: '' },
        ],
      },
      { metric: 'y', matchers: [] },
    ],
    grouping: ['le', 'a', 'd', 'e'],
  });
  expect(unknownNames('rate(confab_sends_totals[5m])')).toEqual(['confab_sends_totals']);
  expect(unknownNames('sum by (chat) (confab_sockets{transport="pigeon",user="a"})')).toEqual([
    'confab_sockets{transport="pigeon"}',
    'confab_sockets{user}',
    'by (chat)',
  ]);
});

describe.each(alerts)('$alert', ({ alert, expr, labels, annotations }) => {
  test('names metrics and labels that there are', () => {
    expect(unknownNames(expr)).toEqual([]);
  });

  test('says how bad it is, what it is, and where more is told', () => {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations).toEqual({
      summary: expect.stringMatching(/./),
      description: expect.stringMatching(/\.$/),
      runbook_url: `docs/runbooks.md#${alert.toLowerCase()}`,
    });
    const section = runbooks.split(/^## /m).find((part) => part.startsWith(`${alert}\n`)) ?? '';
    expect(section).toContain('**What it means.**');
    expect(section).toContain('**What to do.**');
  });
});

test('an error of ours is each code of 5xx, none more', () => {
  const { expr } = alerts.find(({ alert }) => alert === 'SendErrorRate') ?? { expr: '' };
  const counted = namesIn(expr).selectors.flatMap(({ matchers }) => matchers.map(({ value }) => value));
  const ours = Object.entries(errorTable).flatMap(([code, { status }]) => (status >= 500 ? [code] : []));
  expect(counted.flatMap((value) => value.split('|')).sort()).toEqual(ours.sort());
});

describe('the runbooks', () => {
  test('have a section for each alert, and one of where to look first', () => {
    const sections = [...runbooks.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    const names = alerts.map(({ alert }) => alert);
    expect(sections.toSorted()).toEqual(['Where to look first', ...names].toSorted());
  });

  test('ask for metrics that there are', async () => {
    const queries = await codeBlocks('docs/runbooks.md', 'promql');
    expect(queries.length).toBeGreaterThan(10);
    expect(queries.flatMap((query) => unknownNames(query))).toEqual([]);
  });

  test('quote the log to the letter', async () => {
    const quoted = [...runbooks.matchAll(/`([a-zA-Z][a-zA-Z',;:]*(?: [a-zA-Z0-9',;:]+){2,})`/g)]
      .map(([, text = '']) => text)
      .filter((text) => !/^(bun run|rabbitmqctl|VACUUM|\w+ TABLE)/.test(text));
    expect(quoted.length).toBeGreaterThan(15);
    const files = await Array.fromAsync(new Bun.Glob('src/**/*.ts').scan({ cwd: repository }));
    const source = (await Promise.all(files.map((file) => readText(file)))).join('\n').replaceAll("\\'", "'");
    expect(quoted.filter((text) => !source.includes(text))).toEqual([]);
  });
});

test('the dashboard asks for metrics that there are', async () => {
  const expressions = await expressionsOfDashboard();
  expect(expressions.length).toBeGreaterThan(30);
  expect(expressions.flatMap((expression) => unknownNames(expression))).toEqual([]);
});
