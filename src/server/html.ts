/** HTML made of templates in which every value is text, unless it is HTML already. */

import { createHash } from 'node:crypto'

export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Value = string | number | Html | undefined | readonly Html[]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Characters that show nothing, or turn around how their neighbours are shown, are spelt out. */
const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

const spelt = (character: string): string =>
  character === '\n' ? character : `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`

export const escapeText = (text: string): string =>
  text.replace(unseen, spelt).replace(/[&<>"']/g, (character) => entities[character] ?? '')

const rendered = (value: Value): string => {
  if (value === undefined) return ''
  if (value instanceof Html) return value.text
  if (typeof value === 'object') return value.map(({ text }) => text).join('')
  return escapeText(String(value))
}

export const markup = (parts: TemplateStringsArray, ...values: readonly Value[]): Html =>
  new Html(parts.reduce((text, part, at) => text + rendered(values[at - 1]) + part))

/** What all pages look like. */
const plain = `
:root { color-scheme: light dark; --line: #8886; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.4rem 1.5rem; margin: 0; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre, input { font-family: ui-monospace, monospace; font-size: 0.9rem; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: 0.75rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: 0.35rem 1rem 0.35rem 0; border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; }
label { display: block; font-weight: 600; margin-bottom: 0.3rem; }
input { width: min(100%, 30rem); box-sizing: border-box; padding: 0.4rem; }
button { font: inherit; padding: 0.35rem 1rem; }
.problem { border-left: 0.3rem solid #c33; padding-left: 0.75rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.6rem; } }
`

export interface Sheet {
  readonly css: string
  /**
   * Content-Security-Policy: nothing may run, load or frame the page; the one style sheet is known by its hash, and forms go
   * back here.
   */
  readonly policy: string
}

/** The plain style and what a page wants besides. */
export const sheetOf = (more = ''): Sheet => {
  const css = plain + more
  const hash = createHash('sha256').update(css).digest('base64')
  return {
    css,
    policy: `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  }
}

const plainSheet = sheetOf()
export const contentSecurityPolicy = plainSheet.policy

export const page = (title: string, body: Html, { css }: Sheet = plainSheet): string =>
  markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <style>${new Html(css)}</style>
      </head>
      <body>
        ${body}
      </body>
    </html> `.text
