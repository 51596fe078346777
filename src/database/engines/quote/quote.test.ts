import { execFileSync } from 'node:child_process'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { optionValue } from './option-file.ts'
import { hbaToken, postgresqlSetting, serviceValue } from './postgresql.ts'
import { propertyValue } from './properties.ts'
import { QuoteError } from './quote-error.ts'
import { redisWord } from './redis.ts'
import { shellCommand, shellWord } from './shell.ts'
import { cqlString, mysqlAccount, mysqlName, mysqlString, sqlName } from './sql.ts'
import { uriHost, uriPart } from './uri.ts'
import { xmlText } from './xml.ts'
import { quotedString } from './yaml.ts'

const nasty = [
  "'",
  '"',
  '`',
  '\\',
  "'; DROP USER root; --",
  "\\'",
  '\\"',
  '"\\',
  '\n[mysqld]\nskip-grant-tables',
  '\r\n',
  '\0',
  'x\0y',
  '#',
  ' # x',
  ' blanks ',
  '\ttab',
  '$(id)',
  '${x}',
  '%s',
  'a=b',
  '=cmd',
  ':',
  '!',
  '-rf',
  '@file',
  '+group',
  'all',
  '/regex',
  'x'.repeat(200),
  "'".repeat(200),
  '\\'.repeat(199),
  'äöü€',
  '\u{1f4a9}',
  '\u{7f}\u{85}\u{2028}\u{2029}\u{feff}',
  '\ud800',
  '<a>&amp;]]>',
  '',
]
const texts = fc.oneof(
  fc.constantFrom(...nasty),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: fc.constantFrom("'", '"', '`', '\\', '\n', '\0', '#', ' ', 'a', 'ä', '/', '@'), maxLength: 200 }),
)

/** Either the text comes back, or it was refused with a sentence that does not show it. */
const comesBack = (
  quote: (text: string) => string,
  read: (quoted: string) => string,
  examples: readonly string[] = nasty,
) => {
  const check = (text: string): void => {
    let quoted: string
    try {
      quoted = quote(text)
    } catch (error) {
      expect(error).toBeInstanceOf(QuoteError)
      return
    }
    expect(read(quoted)).toBe(text)
  }
  for (const text of examples) check(text)
  fc.assert(fc.property(texts, check), { numRuns: 500 })
}
const accepts = (quote: (text: string) => string, ...some: readonly string[]) => {
  for (const text of some) expect(() => quote(text)).not.toThrow()
}

/** Reads one quoted token at the start of `text`, with doubled quotes for one; what follows has to be nothing. */
const undouble = (text: string, quote: string): string => {
  expect(text.startsWith(quote)).toBe(true)
  let value = ''
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] !== quote) value += text[at]
    else if (text[at + 1] === quote) value += text[(at += 1)]
    else {
      expect(at).toBe(text.length - 1)
      return value
    }
  }
  throw new Error('the quote is not closed')
}

/** MySQL's string with and without NO_BACKSLASH_ESCAPES. */
const readMysqlString = (text: string, backslashEscapes: boolean): string => {
  if (!backslashEscapes) return undouble(text, "'")
  let value = ''
  for (let at = 1; at < text.length; at += 1) {
    const character = text[at]
    if (character === '\\') value += text[(at += 1)]
    else if (character !== "'") value += character
    else if (text[at + 1] === "'") value += text[(at += 1)]
    else {
      expect(at).toBe(text.length - 1)
      return value
    }
  }
  throw new Error('the string is not closed')
}

describe('SQL', () => {
  it('strings of MySQL mean the same with and without backslash escapes', () => {
    comesBack(mysqlString, (text) => readMysqlString(text, true))
    comesBack(mysqlString, (text) => readMysqlString(text, false))
    accepts(mysqlString, "o'neil", 'ä', '"', '\n')
  })

  it('strings of CQL come back, on one line', () => {
    comesBack(cqlString, (text) => {
      expect(text).not.toMatch(/[\r\n]/)
      return undouble(text, "'")
    })
    accepts(cqlString, "o'neil", '\\', '"', '$$', 'ä', 'x'.repeat(200))
  })

  it('identifiers come back', () => {
    comesBack(mysqlName, (text) => undouble(text, '`'))
    comesBack(sqlName, (text) => undouble(text, '"'))
    accepts(mysqlName, '\\', '`', "'")
  })

  it('accounts are quoted on both sides of the @', () => {
    expect(mysqlAccount('app', '%')).toBe("'app'@'%'")
    expect(mysqlAccount('ssl', '10.0.0.%')).toBe("'ssl'@'10.0.0.%'")
    expect(mysqlAccount("o'neil", '%')).toBe("'o''neil'@'%'")
    expect(mysqlAccount("o'neil \\ `back`", '%')).toBe("`o'neil \\ ``back```@'%'")
  })
})

/** my_default.cc: the comment is cut off outside of quotes, then blanks, then one pair of quotes, then escapes are read. */
const readOption = (value: string): string => {
  let quote = ''
  let escape = false
  let end = value.length
  for (let at = 0; at < value.length; at += 1) {
    const character = value.charAt(at)
    if ((character === "'" || character === '"') && !escape)
      quote = quote === '' ? character : quote === character ? '' : quote
    if (quote === '' && character === '#') {
      end = at
      break
    }
    escape = quote !== '' && character === '\\' && !escape
  }
  let text = value.slice(0, end).trim()
  if (/^(["']).*\1$/s.test(text)) text = text.slice(1, -1)
  const meanings: Record<string, string> = {
    n: '\n',
    t: '\t',
    r: '\r',
    b: '\b',
    s: ' ',
    '"': '"',
    "'": "'",
    '\\': '\\',
  }
  return text.replace(/\\(.)/gs, (whole, letter: string) => meanings[letter] ?? whole)
}

describe('files', () => {
  it('option files of MySQL give the value back, on one line', () => {
    comesBack(optionValue, (text) => {
      expect(text).not.toMatch(/[\r\n]/)
      return readOption(text)
    })
    accepts(optionValue, '#', "'", '"', '\\', '\n', ' blanks ')
  })

  it('postgresql.conf gives the value back', () => {
    comesBack(postgresqlSetting, (text) => {
      expect(text).not.toMatch(/[\r\n]/)
      return undouble(text, "'").replace(/\\(.)/gs, (_, letter: string) => ({ n: '\n', r: '\r' })[letter] ?? letter)
    })
  })

  it('pg_hba.conf gives the token back, always quoted', () => {
    comesBack(hbaToken, (text) => undouble(text, '"'))
    accepts(hbaToken, 'all', '+group', '@file', '"', "o'neil \\ back", ' ')
    expect(() => hbaToken('/regex')).toThrow(QuoteError)
    expect(() => hbaToken('a\nhost all all all trust')).toThrow(QuoteError)
  })

  it('a service file takes what its lines can hold', () => {
    comesBack(serviceValue, (text) => text.trim())
    accepts(serviceValue, "o'neil", '#', 'a=b')
    expect(() => serviceValue('a\nhost=evil')).toThrow(QuoteError)
  })

  it('Java properties give the value back, in ASCII, NUL and half surrogates too', () => {
    const read = (value: string): string => {
      expect(value).toMatch(/^[ -~]*$/)
      return value
        .replace(/^[ \t\f]+/, '')
        .replace(/\\(u([0-9a-f]{4})|.)/g, (_, letter: string, hex?: string) =>
          hex === undefined ? letter : String.fromCharCode(Number.parseInt(hex, 16)),
        )
    }
    comesBack(propertyValue, read)
    accepts(propertyValue, ...nasty)
  })

  it('YAML gives the string back', () => {
    comesBack(quotedString, (text) => parseYaml(`a:\n  b: ${text} # c\n`).a.b)
  })

  it('a line of redis-cli gives the word back', () => {
    comesBack(redisWord, (text) => {
      expect(text).not.toMatch(/[\r\n]/)
      if (!text.startsWith('"')) {
        expect(text).toMatch(/^[^\s"'\\]+$/)
        return text
      }
      // sdssplitargs: within double quotes, what follows a backslash; other letters than these would be control characters.
      expect(text).toMatch(/^"([^"\\]|\\["\\])*"$/)
      return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1')
    })
    accepts(redisWord, "o'neil", '"', '\\', '#', 'ä', ':x', '')
  })

  it('JavaScript gives the string back', () => {
    comesBack(quotedString, (text) => runInNewContext(text) as string)
  })

  it('XML gives the text back', () => {
    const names: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
    comesBack(xmlText, (text) => {
      expect(text).not.toMatch(/[<>"'\t\n\r]|&(?!(amp|lt|gt|quot|apos|#9|#10|#13);)/)
      return text.replace(/&(#(\d+)|\w+);/g, (_, name: string, code?: string) =>
        code === undefined ? (names[name] ?? '') : String.fromCharCode(Number(code)),
      )
    })
  })
})

describe('addresses and commands', () => {
  it('URIs give every part back', () => {
    comesBack(uriPart, (text) => {
      expect(text).toMatch(/^([A-Za-z0-9\-._~]|%[0-9A-F]{2})*$/)
      return decodeURIComponent(text)
    })
    comesBack(uriPart, (text) => decodeURIComponent(new URL(`postgresql://${text}@h/x`).username))
    comesBack(uriPart, (text) => new URL(`http://h/?q=${text}`).searchParams.get('q') ?? '')
  })

  it('IPv6 addresses stand in brackets', () => {
    expect(uriHost('2001:db8::1')).toBe('[2001:db8::1]')
    expect(uriHost('db.data.svc')).toBe('db.data.svc')
  })

  it('a real shell gives every word back', () => {
    const words = [...nasty, ...fc.sample(texts, { numRuns: 500, seed: 7 })].filter((text) => {
      try {
        return shellWord(text) !== ''
      } catch (error) {
        expect(error).toBeInstanceOf(QuoteError)
        return false
      }
    })
    expect(words).toContain('$(id)')
    const script = words.map((word) => `printf '%s\\0' ${shellWord(word)}\n`).join('')
    const output = execFileSync('/bin/sh', { input: script }).toString('utf8')
    expect(output.split('\0').slice(0, -1)).toEqual(words)
  })

  it('quotes no word that needs none', () => {
    expect(shellCommand('mysql', '--ssl-ca=/etc/dbtls/ca.crt', '--user', "o'neil")).toBe(
      String.raw`mysql --ssl-ca=/etc/dbtls/ca.crt --user 'o'\''neil'`,
    )
  })
})

it('a refusal never shows the text', () => {
  for (const quote of [
    mysqlString,
    mysqlName,
    sqlName,
    optionValue,
    hbaToken,
    serviceValue,
    shellWord,
    xmlText,
    quotedString,
  ])
    try {
      quote('s3cret\0\\')
      throw new Error('was accepted')
    } catch (error) {
      expect(error).toBeInstanceOf(QuoteError)
      expect(String(error)).not.toContain('s3cret')
    }
})
