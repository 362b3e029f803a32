import type { Report } from './configuration-report.js';

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 15%, transparent); --soft: color-mix(in srgb, currentColor 60%, transparent); }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.25rem; }
  h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 2.25rem 0 .5rem; }
  p { color: var(--soft); margin: 0; }
  .scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
  th { text-align: left; font-weight: 600; color: var(--soft); } th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
  code { font: .875em ui-monospace, monospace; } dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
`;

/** The page, as HTML. */
export function renderPage({ session, keys }: Report, mail: string): string {
  const rows = keys.map(
    ({ key, path, version, loadedAt, value }) =>
      `<tr><td><code>${escape(key)}</code></td><td><code>${escape(value)}</code></td><td><code>${escape(path)}</code></td><td>${version}</td><td>${escape(loadedAt.slice(11, 19))}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Where the configuration came from</title><style>${STYLE}</style>
<h1>Where the configuration came from</h1>
<p>Every value below was read from OpenBao before the first provider of this service was created.</p>
<h2>Keys</h2>
<div class="scroll"><table><thead><tr><th>Key</th><th>Value</th><th>Secret</th><th>Version</th><th>Read at (UTC)</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>
<h2>Session</h2>
<dl><dt>State</dt><dd>${escape(session.state)}</dd><dt>Accessor</dt><dd><code>${escape(session.accessor ?? 'none')}</code></dd><dt>Policies</dt><dd>${escape(session.policies.join(', '))}</dd><dt>Expires</dt><dd>${escape(session.expiresAt ?? 'never')}</dd></dl>
<h2>In use</h2>
<dl><dt>Mail</dt><dd>${escape(mail)}</dd><dt>Signature</dt><dd><a href="/sign?text=hello"><code>/sign?text=hello</code></a></dd><dt>As JSON</dt><dd><a href="/config.json"><code>/config.json</code></a></dd></dl>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
