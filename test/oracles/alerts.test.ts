/**
 * The alerts and the dashboard of the chart, as helm renders them: Prometheus' own engine parses each expression and answers it over
 * a few series, and every metric they name is one that the operator has.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { webcrypto } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { EmbeddedCluster } from '../../src/cluster/embedded/cluster.ts'
import { embeddedKinds } from '../../src/commands/shared/embedded-kinds.ts'
import { Operator } from '../../src/operator.ts'
import { clusterRules } from '../../src/profile/endpoints/permitted.ts'
import { publishMetrics } from '../../src/publish/metrics.ts'
import { LagMonitor } from '../../src/runtime/lag.ts'
import { silentLogger } from '../../src/runtime/log.ts'
import { ManualClock } from '../../src/runtime/manual-clock.ts'
import { createMetrics, type Registry } from '../../src/runtime/metrics.ts'
import { registerProcessMetrics } from '../../src/runtime/process-metrics.ts'
import { controlPlaneBinaries } from '../controlplane/harness/binaries.ts'
import { must, run } from '../controlplane/harness/process.ts'
import { goProgram } from './tools.ts'

const repository = fileURLToPath(new URL('../../', import.meta.url))
const engine = await goProgram('promql')
if (engine === undefined) console.warn('the engine of Prometheus: skipped, its modules are not to be had')

interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly (readonly [seconds: number, value: number])[]
}

interface Answer {
  readonly error?: string
  readonly metrics: readonly string[]
  readonly result: readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
}

const ask = async (expr: string, at = 0, series: readonly Series[] = []): Promise<Answer> => {
  const { stdout } = await must(engine ?? '', [], { stdin: `${JSON.stringify({ expr, at, series })}\n` })
  return JSON.parse(stdout) as Answer
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

const rendered = async (template: string, ...values: string[]): Promise<unknown> => {
  const helm = join(await controlPlaneBinaries(), 'helm')
  const chart = join(repository, 'charts/dbtls')
  const all = ['metrics.prometheusRule.enabled=true', 'metrics.dashboard.enabled=true', ...values].join(',')
  const args = [
    'template',
    'dbtls',
    chart,
    '--namespace',
    'dbtls',
    '--set',
    all,
    '--show-only',
    `templates/${template}.yaml`,
  ]
  return parse((await must(helm, args)).stdout)
}

const rulesOf = async (...values: string[]): Promise<Rule[]> => {
  const { spec } = (await rendered('prometheusrule', ...values)) as {
    readonly spec: { readonly groups: readonly { readonly rules: readonly Rule[] }[] }
  }
  return spec.groups.flatMap(({ rules }) => rules)
}

/** Every metric that a replica has, whatever it is told to do. */
const registryOfOperator = (): Registry => {
  const clock = new ManualClock()
  const metrics = createMetrics()
  metrics.restClient('api.example')
  metrics.leaderElection('dbtls')
  publishMetrics(metrics.registry)
  const lag = new LagMonitor()
  registerProcessMetrics(metrics.registry, lag, clock)
  lag.stop()
  void new Operator({
    cluster: new EmbeddedCluster({ kinds: embeddedKinds(), clock }),
    ...{ clock, crypto: webcrypto, log: silentLogger(), metrics, workers: 1, signsRequests: true },
    randomBytes: (size) => new Uint8Array(size),
    random: () => 0.5,
    events: { record: () => undefined, stop: () => Promise.resolve() },
    probes: { rules: { ...clusterRules, otherNamespaces: false, allow: [], deny: [] } },
  })
  return metrics.registry
}

interface Known {
  readonly name: string
  readonly type: string
  readonly help: string
}
const known = registryOfOperator().getMetricsAsArray() as unknown as readonly Known[]
const names = new Set(
  known.flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
)

describe('the metrics of the operator', () => {
  it('are there', () => expect(known.length).toBeGreaterThan(40))

  // https://prometheus.io/docs/practices/naming/
  it.each(known)('$name keeps the rules for names', ({ name, type, help }) => {
    expect(name).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/)
    expect(name.endsWith('_total')).toBe(type === 'counter')
    expect(name).not.toMatch(/_(ms|milliseconds|minutes|hours|days|kilobytes|megabytes|count|sum|bucket)(_|$)/)
    if (/timestamp|_(age|duration|time)$/.test(name)) expect(name).toMatch(/_seconds$/)
    expect(help).toMatch(/^\S.*\S$/)
  })
})

const hour = 3600
const day = 24 * hour
const now = 2_000_000_000
/** `name{a="b"}` → one sample, a moment before now. */
const series = (text: string, value: number): Series => {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(text) ?? []
  const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', of = '']) => [key, of] as const)
  return { labels: { __name__: name, ...Object.fromEntries(pairs) }, samples: [[now - 30, value]] }
}
const both = (text: string, value: number): Series[] =>
  ['a', 'b'].map((pod) => series(text.replace('}', `,pod="${pod}"}`), value))
const rising = (text: string, by: number): Series => ({
  ...series(text, 0),
  samples: Array.from({ length: 31 }, (_, at) => [now - 1800 + at * 60, at * by]),
})

const ca = 'namespace="data",name="ca"'
const server = 'namespace="data",profile="orders",address="db-0:3306"'
const phase = 'dbtls_authority_rotation_phase_started_timestamp_seconds'
const job = 'job="dbtls-metrics"'

/** For each alert: what it is about, and series over which it fires, or not. */
const cases: Readonly<Record<string, readonly (readonly [what: string, series: readonly Series[], fires: boolean])[]>> =
  {
    DbtlsNotLeading: [
      ['nobody leads', both(`leader_election_master_status{${job}}`, 0), true],
      ['nothing is scraped', [], true],
      ['another operator leads', [series('leader_election_master_status{job="other"}', 1)], true],
      [
        'one of two leads',
        [
          series(`leader_election_master_status{${job},pod="a"}`, 1),
          series(`leader_election_master_status{${job},pod="b"}`, 0),
        ],
        false,
      ],
    ],
    DbtlsReconcileErrors: [
      ['one a minute', [rising(`controller_runtime_reconcile_errors_total{controller="ledger",${job}}`, 1)], true],
      ['none', [rising(`controller_runtime_reconcile_errors_total{controller="ledger",${job}}`, 0)], false],
      [
        'those of others',
        [rising('controller_runtime_reconcile_errors_total{controller="ledger",job="other"}', 9)],
        false,
      ],
    ],
    DbtlsReconcileStuck: [
      ['one hangs', [series(`dbtls_stuck_reconciles{controller="ledger",${job}}`, 1)], true],
      ['none hangs', [series(`dbtls_stuck_reconciles{controller="ledger",${job}}`, 0)], false],
    ],
    DbtlsStalled: [
      ['a certificate', both('dbtls_certificates{state="Stalled"}', 2), true],
      ['an authority', both('dbtls_authorities{state="Stalled"}', 1), true],
      [
        'all well',
        [...both('dbtls_certificates{state="Stalled"}', 0), ...both('dbtls_certificates{state="Ready"}', 9)],
        false,
      ],
    ],
    DbtlsCertificateNotRenewed: [
      ['two hours late', both(`dbtls_certificate_renewal_timestamp_seconds{${ca}}`, now - 2 * hour), true],
      ['a moment late', both(`dbtls_certificate_renewal_timestamp_seconds{${ca}}`, now - 60), false],
    ],
    DbtlsCertificateExpiring: [
      [
        'not renewed',
        [
          ...both(`dbtls_certificate_not_after_timestamp_seconds{${ca}}`, now + hour),
          ...both(`dbtls_certificate_renewal_timestamp_seconds{${ca}}`, now - 2 * hour),
        ],
        true,
      ],
      [
        'of a day, and renewed in time',
        [
          ...both(`dbtls_certificate_not_after_timestamp_seconds{${ca}}`, now + 9 * hour),
          ...both(`dbtls_certificate_renewal_timestamp_seconds{${ca}}`, now + hour),
        ],
        false,
      ],
    ],
    DbtlsAuthorityExpiring: [
      ['brought along, never renewed', both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now + 9 * day), true],
      [
        'renewal overdue',
        [
          ...both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now + 9 * day),
          ...both(`dbtls_authority_renewal_timestamp_seconds{${ca}}`, now - day),
        ],
        true,
      ],
      [
        'of a month, and renewed in time',
        [
          ...both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now + 20 * day),
          ...both(`dbtls_authority_renewal_timestamp_seconds{${ca}}`, now + 10 * day),
        ],
        false,
      ],
      ['of years', both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now + 900 * day), false],
    ],
    DbtlsAuthorityExpired: [
      ['ended', both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now - 60), true],
      ['not yet', both(`dbtls_authority_not_after_timestamp_seconds{${ca}}`, now + 60), false],
    ],
    DbtlsRevocationListStale: [
      ['cannot be made', both(`dbtls_crl_current{${ca}}`, 0), true],
      ['is current', both(`dbtls_crl_current{${ca}}`, 1), false],
    ],
    DbtlsRevocationListEnding: [
      ['half an hour', both(`dbtls_crl_next_update_timestamp_seconds{${ca}}`, now + 1800), true],
      ['a day', both(`dbtls_crl_next_update_timestamp_seconds{${ca}}`, now + day), false],
    ],
    DbtlsEndpointServesOther: [
      [
        'an old one',
        [series(`dbtls_endpoint_serves_expected{${server}}`, 0), series(`dbtls_endpoint_up{${server}}`, 1)],
        true,
      ],
      [
        'none, being down',
        [series(`dbtls_endpoint_serves_expected{${server}}`, 0), series(`dbtls_endpoint_up{${server}}`, 0)],
        false,
      ],
      [
        'what it should',
        [series(`dbtls_endpoint_serves_expected{${server}}`, 1), series(`dbtls_endpoint_up{${server}}`, 1)],
        false,
      ],
    ],
    DbtlsEndpointExpiring: [
      [
        'an old one that ends',
        [
          series(`dbtls_endpoint_not_after_timestamp_seconds{${server}}`, now + hour),
          series(`dbtls_endpoint_serves_expected{${server}}`, 0),
        ],
        true,
      ],
      [
        'a short one that is right',
        [
          series(`dbtls_endpoint_not_after_timestamp_seconds{${server}}`, now + hour),
          series(`dbtls_endpoint_serves_expected{${server}}`, 1),
        ],
        false,
      ],
    ],
    DbtlsRotationHeld: [
      [
        'for days',
        [...both(`${phase}{${ca}}`, now - 4 * day), ...both(`dbtls_authority_rotation_held{${ca}}`, 1)],
        true,
      ],
      ['for a day', [...both(`${phase}{${ca}}`, now - day), ...both(`dbtls_authority_rotation_held{${ca}}`, 1)], false],
      [
        'slow and not held',
        [...both(`${phase}{${ca}}`, now - 4 * day), ...both(`dbtls_authority_rotation_held{${ca}}`, 0)],
        false,
      ],
    ],
    DbtlsRotationStuck: [
      [
        'for two days',
        [...both(`${phase}{${ca}}`, now - 2 * day), ...both(`dbtls_authority_rotation_held{${ca}}`, 0)],
        true,
      ],
      ['held', [...both(`${phase}{${ca}}`, now - 2 * day), ...both(`dbtls_authority_rotation_held{${ca}}`, 1)], false],
      [
        'soaking',
        [
          ...both(`${phase}{${ca}}`, now - 2 * day),
          ...both(`dbtls_authority_rotation_soak_end_timestamp_seconds{${ca}}`, now + day),
        ],
        false,
      ],
      [
        'waiting after its soak',
        [
          ...both(`${phase}{${ca}}`, now - 3 * day),
          ...both(`dbtls_authority_rotation_soak_end_timestamp_seconds{${ca}}`, now - day),
        ],
        true,
      ],
      ['quick', both(`${phase}{${ca}}`, now - hour), false],
    ],
    DbtlsRotationNotBegun: [
      [
        'asked for at rest',
        [
          ...both(`dbtls_authority_rotation_requested{${ca}}`, 1),
          ...both(`dbtls_authority_rotation_phase{${ca},phase="Idle"}`, 1),
        ],
        true,
      ],
      [
        'queued behind another one',
        [
          ...both(`dbtls_authority_rotation_requested{${ca}}`, 1),
          ...both(`dbtls_authority_rotation_phase{${ca},phase="Signing"}`, 1),
        ],
        false,
      ],
    ],
  }

describe.skipIf(engine === undefined)('the alerts of the chart', () => {
  let rules: readonly Rule[] = []
  beforeAll(async () => {
    rules = await rulesOf()
  })
  const rule = (name: string): Rule => {
    const found = rules.find(({ alert }) => alert === name)
    if (found === undefined) throw new Error(`there is no alert ${name}`)
    return found
  }

  it('are each tried below', () => {
    expect(rules.map(({ alert }) => alert).toSorted()).toEqual(Object.keys(cases).toSorted())
  })

  it.each(
    Object.entries(cases).flatMap(([alert, all]) => all.map(([what, data, fires]) => ({ alert, what, data, fires }))),
  )('$alert, $what: $fires', async ({ alert, data, fires }) => {
    const { error, result } = await ask(rule(alert).expr, now, data)
    expect(error).toBeUndefined()
    // However many replicas tell of it, it is one alert.
    expect(result).toHaveLength(fires ? 1 : 0)
  })

  it('name metrics that there are, by labels that tell one from another', async () => {
    for (const { alert, expr, annotations } of rules) {
      const { error, metrics } = await ask(expr)
      expect([alert, error]).toEqual([alert, undefined])
      expect(metrics.filter((name) => !names.has(name))).toEqual([])
      const firing = cases[alert]?.find(([, , fires]) => fires)?.[1] ?? []
      const [one] = (await ask(expr, now, firing)).result
      for (const [, label = ''] of annotations['summary']?.matchAll(/\$labels\.(\w+)/g) ?? [])
        expect(Object.keys(one?.labels ?? {}), alert).toContain(label)
    }
  })

  it('have a summary, a severity, a time to wait, and a runbook each', () => {
    const runbooks = readFileSync(join(repository, 'docs/runbooks.md'), 'utf8')
    const sections = [...runbooks.matchAll(/^## (Dbtls\w+)$/gm)].map(([, name = '']) => name)
    expect(sections.toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted())
    for (const { alert, labels, annotations, for: wait } of rules) {
      expect(['critical', 'warning', 'info']).toContain(labels['severity'])
      expect(wait).toMatch(/^\d+[mh]$/)
      expect(annotations['runbook_url']).toBe(`docs/runbooks.md#${alert.toLowerCase()}`)
      expect(annotations['summary']).toMatch(/\.$/)
    }
  })

  it('take job, patience and runbooks from the values', async () => {
    const set = [
      'job=tls',
      'rotationStuckAfterHours=1',
      'rotationHeldAfterHours=2',
      'runbooks=https://wiki.example/tls',
    ]
    const changed = await rulesOf(...set.map((value) => `metrics.prometheusRule.${value}`))
    const text = JSON.stringify(changed)
    expect(text).not.toMatch(/%[A-Z_]+%|dbtls-metrics/)
    for (const part of ['{job=\\"tls\\"}', '> 3600\\n', '> 7200\\n', 'https://wiki.example/tls#dbtlsnotleading'])
      expect(text).toContain(part)
  })

  it('are made only where they are asked for', async () => {
    const helm = join(await controlPlaneBinaries(), 'helm')
    const { stdout } = await must(helm, ['template', 'dbtls', join(repository, 'charts/dbtls')])
    expect(stdout).not.toMatch(/PrometheusRule|dashboard/)
    const { code } = await run(helm, [
      'template',
      'x',
      join(repository, 'charts/dbtls'),
      '--set',
      'metrics.prometheusRule.job=a"b',
    ])
    expect(code).not.toBe(0)
  })
})

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[]
}

describe.skipIf(engine === undefined)('the dashboard of the chart', () => {
  let panels: readonly Panel[] = []
  let variables: readonly { readonly definition?: string }[] = []
  beforeAll(async () => {
    const { data } = (await rendered('dashboard')) as { readonly data: Readonly<Record<string, string>> }
    const board = JSON.parse(data['dbtls.json'] ?? '') as {
      readonly panels: readonly Panel[]
      readonly templating: { readonly list: readonly { readonly definition?: string }[] }
    }
    panels = board.panels
    variables = board.templating.list
  })

  it('asks only for metrics that there are, in expressions that Prometheus can read', async () => {
    const all = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))
    expect(all.length).toBeGreaterThan(15)
    for (const { title, expr } of all) {
      const filled = expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(namespace|job)\b/g, '.*')
      expect(filled).not.toContain('$')
      const { error, metrics } = await ask(filled)
      expect([title, error]).toEqual([title, undefined])
      expect(metrics.filter((name) => !names.has(name))).toEqual([])
    }
    for (const { definition } of variables)
      if (definition !== undefined) expect(names).toContain(/^label_values\((\w+), \w+\)$/.exec(definition)?.[1])
  })

  it('has panels of their own numbers, none over another', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const taken = new Set<string>()
    for (const {
      gridPos: { x, y, w, h },
    } of panels)
      for (let column = x; column < x + w; column += 1)
        for (let line = y; line < y + h; line += 1) {
          expect(column).toBeLessThan(24)
          expect(taken.has(`${column} ${line}`)).toBe(false)
          taken.add(`${column} ${line}`)
        }
  })
})
