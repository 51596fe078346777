/** The half of the corpus of requests that openssl does not make: encodings, attributes and names put together by hand. */

import { beforeAll, describe, expect, test } from 'vitest'
import { ascii, contextPrimitive, oid, sequence } from '../encoding/der.ts'
import { encodePem } from '../encoding/pem.ts'
import { byHandRows } from './request.corpus.der.fixture.ts'
import { check, type Corpus, dns, handMadeWith, makeCorpus, named, titled } from './request.corpus.fixture.ts'
import { extension } from './request.fixture.ts'
import { requestProblems } from './problems.ts'
import { parseRequest } from './request.ts'

let corpus: Corpus
beforeAll(async () => {
  corpus = await makeCorpus()
}, 60_000)

describe('a request made by hand', () => {
  test.each(titled(byHandRows))('with %s is %s', (_, __, [, make, stage, detail]) =>
    check(corpus, make(handMadeWith(corpus), corpus), stage, detail),
  )

  test('is bounded by what may be asked for, not below it', () => {
    const long = (i: number): string => `${i}`.padStart(4, '0') + `${'a'.repeat(58)}.`.repeat(4) + 'data.svc'
    const names = Array.from({ length: 200 }, (_, i) => dns(long(i)))
    const uris = Array.from({ length: 200 }, (_, i) =>
      contextPrimitive(6, ascii(`https://cluster.local/${i}${'a'.repeat(2020)}`)),
    )
    const parsed = parseRequest(
      encodePem('CERTIFICATE REQUEST', handMadeWith(corpus)({ extensions: [named(...names, ...uris)] })),
    )
    expect(parsed.requestedNames).toHaveLength(400)
    expect(requestProblems(parsed)).toEqual([])
    const more = parseRequest(handMadeWith(corpus)({ extensions: [named(...names, dns('one.data.svc'))] }))
    expect(requestProblems(more)).toEqual([expect.stringContaining('201 names of the type DNS')])
  })

  test('says at most twenty problems', () => {
    const usages = extension('2.5.29.37', sequence(...Array.from({ length: 1000 }, (_, i) => oid(`1.2.3.${i}`))))
    expect(requestProblems(parseRequest(handMadeWith(corpus)({ extensions: [usages] })))).toHaveLength(20)
  })
})
