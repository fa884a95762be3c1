/** One metric as an expression names it. */
export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

export interface Names {
  selectors: Selector[];
  /** Labels by which is grouped or joined. */
  grouping: string[];
}

const matcher = /(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g;
const words = new Set(['and', 'or', 'unless', 'offset', 'bool', 'group_left', 'group_right']);

/** What a PromQL expression names. No parser: enough for expressions without comments and subqueries. */
export function namesIn(expression: string): Names {
  const grouping: string[] = [];
  const rest = expression
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g, (_, labels: string) => {
      grouping.push(...labels.split(',').flatMap((label) => label.trim() || []));
      return '';
    })
    .replace(/\[[$\w:]+\]/g, '')
    .replace(/\boffset\s+\w+/g, '');
  const selectors: Selector[] = [];
  for (const [, metric = '', braces = ''] of rest.matchAll(
    /(?<![\w."{])([a-zA-Z_:][\w:]*)\b(?!\s*\()\s*(\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\})?/g,
  )) {
    if (words.has(metric)) continue;
    const matchers = [...braces.matchAll(matcher)].map(([, label = '', operator = '', value = '']) => ({
      label,
      operator,
      value,
    }));
    selectors.push({ metric, matchers });
  }
  return { selectors, grouping };
}
