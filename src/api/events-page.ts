import type { EventsDocument } from './events-document.ts';

/** The document for people: nothing of it runs. */
export function eventsPage({ channels, components }: EventsDocument): string {
  const section = (id: string, title: string, text: string, schema: object) => `<section id="${id}">
  <h2><a href="#${id}">${title}</a></h2>
  <p>${Bun.escapeHTML(text)}</p>
  <pre>${schemaText(schema)}</pre>
</section>`;
  const messages = Object.values(channels.chat.messages);
  const schemas = Object.entries(components.schemas);

  return `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Confab: the events</title>
  <link rel="icon" href="favicon-32x32.png">
  <style>body { font-family: sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem } pre { overflow: auto }</style>
</head>
<body>
<nav><a href="../documentation">REST</a> · <a href="../asyncapi.json">AsyncAPI</a></nav>
<h1>What a socket is told</h1>
${messages.map(({ name, summary, payload }) => section(name, name, summary, payload)).join('\n')}
<h1>Schemas</h1>
${schemas.map(([name, schema]) => section(`schema-${name}`, name, '', schema)).join('\n')}
</body>
</html>
`;
}

/** With a link for each reference. */
const schemaText = (schema: object): string =>
  Bun.escapeHTML(JSON.stringify(schema, null, 2)).replaceAll(
    /#\/components\/schemas\/(\w+)/g,
    '<a href="#schema-$1">$1</a>',
  );
