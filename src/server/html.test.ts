import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentSecurityPolicy, escapeText, Html, markup, page } from './html.ts'

describe('html', () => {
  it.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['" onmouseover="x', '&quot; onmouseover=&quot;x'],
    ["' onfocus='x", '&#39; onfocus=&#39;x'],
    ['&lt;', '&amp;lt;'],
    ['a\u0000b\u001b[31m', String.raw`a\u0000b\u001b[31m`],
    ['moc.lapyap\u202e', String.raw`moc.lapyap\u202e`],
    ['zero\u200bwidth', String.raw`zero\u200bwidth`],
    ['two\nlines', 'two\nlines'],
    ['Zürich 日本', 'Zürich 日本'],
  ])('%j is shown as it is', (text, shown) => expect(markup`<b>${text}</b>`.text).toBe(`<b>${shown}</b>`))

  it('takes HTML as HTML, lists as their parts, and nothing as nothing', () => {
    const items = ['a', '<'].map((item) => markup`<b>${item}</b>`)
    expect(markup`<p>${items}${undefined}${3}${new Html('<i>')}</p>`.text).toBe('<p><b>a</b><b>&lt;</b>3<i></p>')
  })

  it('no text leaves an attribute or starts an element', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeText(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|#39);)|[\u202a-\u202e]/)
      }),
    )
  })

  it('a page has its one style sheet allowed by hash, and no script', () => {
    expect(contentSecurityPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /)
    expect(page('<t>', markup`x`)).toContain('<title>&lt;t&gt;</title>')
    expect(page('t', markup`x`)).not.toContain('<script')
    const [, style = ''] = /<style>([^]*)<\/style>/.exec(page('t', markup`x`)) ?? []
    const hash = createHash('sha256').update(style).digest('base64')
    expect(contentSecurityPolicy).toContain(`'sha256-${hash}'`)
  })
})
