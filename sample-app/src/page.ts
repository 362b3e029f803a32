import type { Report, ReportedKey } from './configuration-report.js';
import type { MaskedValue } from './masked-value.js';

const STYLE = `
  :root {
    color-scheme: light dark;
    --page: light-dark(#f6f7f9, #14161a); --card: light-dark(#fff, #1c1f25); --text: light-dark(#1b1f27, #e6e8ec);
    --soft: light-dark(#5b6472, #9aa3b2); --line: light-dark(#e3e6eb, #2c313a); --good: light-dark(#15803d, #4ade80);
    --accent: light-dark(#1d4ed8, #8ab4ff);
  }
  * { box-sizing: border-box; }
  body { margin: 0 auto; max-width: 64rem; padding: 3rem 1.25rem 4rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
  h1 { margin: 0 0 .25rem; font-size: 1.625rem; letter-spacing: -.01em; text-wrap: balance; }
  h2 { margin: 2.25rem 0 .625rem; font-size: 1rem; }
  p { margin: 0; color: var(--soft); }
  a { color: var(--accent); }
  code, .mask { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
  .card { border: 1px solid var(--line); border-radius: .625rem; background: var(--card); overflow-x: auto; }
  table { width: 100%; border-collapse: collapse; font-size: .9375rem; white-space: nowrap; }
  th, td { padding: .5625rem 1rem; text-align: left; }
  th { color: var(--soft); font-size: .8125rem; font-weight: 500; }
  td { border-top: 1px solid var(--line); font-variant-numeric: tabular-nums; }
  .number { text-align: right; }
  .mask { letter-spacing: .1em; margin-right: .5rem; }
  .soft { color: var(--soft); }
  dl { display: grid; grid-template-columns: 9rem 1fr; gap: .5rem 1rem; margin: 0; padding: .875rem 1rem; font-size: .9375rem; }
  dt { color: var(--soft); }
  dd { margin: 0; overflow-wrap: anywhere; }
  .active::before { content: ""; display: inline-block; width: .5rem; height: .5rem; margin-right: .5rem; border-radius: 50%; background: var(--good); vertical-align: .0625rem; }
  @media (max-width: 40rem) { body { padding-top: 1.75rem; } dl { grid-template-columns: 1fr; gap: .125rem; } dd + dt { margin-top: .5rem; } }
`;

/** The page, as HTML. */
export function renderPage({ session, keys }: Report, mail: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Where the configuration came from</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<h1>Where the configuration came from</h1>
<p>Read from OpenBao before the first provider of this service was created. Values are never shown.</p>

<h2>Configuration keys</h2>
<div class="card"><table>
<thead><tr><th>Key</th><th>Secret</th><th class="number">Version</th><th>Value</th><th>Read at (UTC)</th></tr></thead>
<tbody>
${keys.map(row).join('\n')}
</tbody>
</table></div>

<h2>Session</h2>
<div class="card"><dl>
<dt>State</dt><dd class="${escape(session.state)}">${escape(session.state)}</dd>
<dt>Accessor</dt><dd><code>${escape(session.accessor ?? 'none')}</code></dd>
<dt>Policies</dt><dd>${session.policies.map((name) => `<code>${escape(name)}</code>`).join(', ')}</dd>
<dt>Expires</dt><dd>${session.expiresAt === undefined ? 'never' : `${time(session.expiresAt)} UTC`}</dd>
</dl></div>

<h2>In use</h2>
<div class="card"><dl>
<dt>Signer</dt><dd><a href="/sign?text=hello"><code>/sign?text=hello</code></a></dd>
<dt>Mailer</dt><dd>${escape(mail)}</dd>
<dt>Features</dt><dd><a href="/checkout?region=eu"><code>/checkout?region=eu</code></a></dd>
<dt>This page as JSON</dt><dd><a href="/config.json"><code>/config.json</code></a></dd>
</dl></div>
</body>
</html>
`;
}

function row(reported: ReportedKey): string {
  const { key, value, version, loadedAt } = reported;
  const loaded = loadedAt === undefined ? '' : time(loadedAt);
  return `<tr><td><code>${escape(key)}</code></td><td><code>${place(reported)}</code></td><td class="number">${version ?? ''}</td><td>${masked(value)}</td><td>${loaded}</td></tr>`;
}

function place({ variable, mountPath = '', secretPath }: ReportedKey): string {
  const name = variable === undefined ? '' : escape(`$${variable}`);
  if (secretPath === undefined) return name;
  return `${name === '' ? '' : `${name} → `}<span class="soft">${escape(mountPath)}/</span>${escape(secretPath)}`;
}

function masked({ type, length }: MaskedValue): string {
  return `<span class="mask">••••••</span><span class="soft">${escape(length === undefined ? type : `${type}, ${length}`)}</span>`;
}

function time(iso: string): string {
  return `<time datetime="${escape(iso)}">${escape(iso.slice(0, 19).replace('T', ' '))}</time>`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
