/**
 * Hostile and odd requests with the verdict of each, as openssl makes them; those that it does not make are in
 * request.corpus.der.test.ts.
 */

import { afterAll, beforeAll, describe, test } from 'vitest'
import { check, type Corpus, makeCorpus, titled } from './request.corpus.fixture.ts'
import { opensslRequests, opensslRows } from './request.corpus.openssl.fixture.ts'
import { opensslVersion } from '../testing.ts'

let corpus: Corpus
let requests: ReturnType<typeof opensslRequests>
beforeAll(async () => {
  corpus = await makeCorpus()
  requests = opensslRequests(corpus)
}, 60_000)
afterAll(() => requests.remove())

describe.skipIf(opensslVersion === undefined)('a request made by openssl', () => {
  test.each(titled(opensslRows))('with %s is %s', (_, __, [, asked, stage, detail]) =>
    check(corpus, requests.made(asked), stage, detail),
  )
})
