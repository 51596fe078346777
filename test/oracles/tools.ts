/**
 * Other people's tools, made or fetched on first use and kept in the cache: programs in Go, an environment of Python, and
 * Debian's packages, unpacked without being installed. Whoever cannot have one gets the reason instead.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { must, run } from '../controlplane/harness/process.ts'

export const here = fileURLToPath(new URL('.', import.meta.url))

const cacheFolder = (): string => {
  const root = process.env['DBTLS_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'dbtls')
  const folder = join(root, 'oracles')
  mkdirSync(folder, { recursive: true })
  return folder
}

export const missing = async (command: string, ...probe: string[]): Promise<boolean> =>
  run(command, probe).then(
    ({ code }) => code !== 0,
    () => true,
  )

const progress = (text: string): void => console.error(`${text} …`)

/** Runs a shell script unless `folder/complete` is there; under a lock, since two test files may come here at once. */
const once = async (folder: string, what: string, script: string, ...args: string[]): Promise<boolean> => {
  if (existsSync(join(folder, 'complete'))) return true
  progress(`${what}, once`)
  const make = `[ -d "$1/complete" ] || { rm -rf "$1" && mkdir -p "$1" && ${script} && mkdir "$1/complete"; }`
  const { code } = await run('flock', [`${folder}.lock`, 'sh', '-ec', make, 'sh', folder, ...args])
  return code === 0
}

/** Path of the program in test/oracles/NAME; undefined where its modules are not to be had. */
export const goProgram = async (name: string): Promise<string | undefined> => {
  const source = join(here, name)
  const digest = createHash('sha256')
  for (const file of readdirSync(source).toSorted()) digest.update(readFileSync(join(source, file)))
  const binary = join(cacheFolder(), `${name}-${digest.digest('hex').slice(0, 16)}`)
  if (existsSync(binary)) return binary
  progress(`building the ${name} oracle, once`)
  const env = { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' }
  const fresh = `${binary}.${process.pid}`
  const { code } = await run('go', ['build', '-trimpath', '-o', fresh, '.'], { cwd: source, env })
  if (code !== 0) return undefined
  renameSync(fresh, binary)
  return binary
}

/** The folder of a module that the program in test/oracles/NAME requires, in the version its go.mod pins; else undefined. */
export const moduleFolder = async (name: string, module: string): Promise<string | undefined> => {
  if (await missing('go', 'version')) return undefined
  const options = { cwd: join(here, name), env: { ...process.env, GOTOOLCHAIN: 'local', GOFLAGS: '-mod=readonly' } }
  const listed = await run('go', ['list', '-m', '-f', '{{.Dir}}', module], options)
  const there = listed.stdout.trim()
  if (listed.code === 0 && there !== '') return there
  progress(`fetching ${module}, once`)
  const { code, stdout } = await run('go', ['mod', 'download', '-json', module], options)
  return code === 0 ? (JSON.parse(stdout) as { readonly Dir: string }).Dir : undefined
}

/** The interpreter of a virtual environment with the pinned packages; undefined where pip cannot have them. */
export const pythonInterpreter = async (): Promise<string | undefined> => {
  const requirements = join(here, 'python', 'requirements.txt')
  const { stdout } = await must('python3', ['-c', 'import sys; print(sys.implementation.cache_tag)'])
  const digest = createHash('sha256').update(stdout).update(readFileSync(requirements)).digest('hex').slice(0, 16)
  const folder = join(cacheFolder(), `python-${digest}`)
  const make = `python3 -m venv "$1" && "$1/bin/python" -m pip install --quiet --disable-pip-version-check -r "$2"`
  return (await once(folder, 'making a Python environment for the oracles', make, requirements))
    ? join(folder, 'bin', 'python')
    : undefined
}

/** A version of its own: what Maven takes otherwise hangs on the machine. */
const copyArtifact = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'

/** `GROUP:ARTIFACT:VERSION` each, without what they depend on. The class path; undefined where they cannot be had. */
export const mavenJars = async (name: string, artifacts: readonly string[]): Promise<string | undefined> => {
  if ((await missing('mvn', '--version')) || (await missing('java', '-version'))) return undefined
  const digest = createHash('sha256').update(artifacts.join(' ')).digest('hex').slice(0, 16)
  const folder = join(cacheFolder(), `${name}-${digest}`)
  const make = `
    folder=$1 && plugin=$2 && shift 2
    for artifact; do mvn -q -B "$plugin" "-Dartifact=$artifact" "-DoutputDirectory=$folder" >&2; done
    set -- "$folder"`
  return (await once(folder, `fetching ${artifacts.join(' and ')}`, make, copyArtifact, ...artifacts))
    ? join(folder, '*')
    : undefined
}

export interface DebianTools {
  /** The path of a command of the packages. */
  command(name: string): string
  /** With the folders of their libraries. */
  readonly env: NodeJS.ProcessEnv
}

/** gnutls-bin and libnss3-tools. */
const packages = ['gnutls-bin', 'libnss3-tools']

/**
 * What apt would install for the packages, unpacked; its lists of packages are fetched into the cache where the system has
 * none. Undefined where there is no apt, or it cannot.
 */
const unpacked = async (): Promise<DebianTools | undefined> => {
  if ((await missing('apt-get', '--version')) || (await missing('dpkg', '--version'))) return undefined
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release') : ''
  const folder = join(cacheFolder(), `debian-${createHash('sha256').update(release).digest('hex').slice(0, 16)}`)
  const make = `
    cd "$1" && mkdir -p state/lists/partial cache/archives/partial debs && shift
    fetch() {
      names=$(apt-get "$@" -s install --no-install-recommends ${packages.join(' ')} |
        sed -n '/-dev /d; s/^Inst \\([^ ]*\\) .*/\\1/p')
      [ -n "$names" ] && (cd debs && apt-get "$@" download $names)
    }
    own="-o Dir::State=$PWD/state -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache=$PWD/cache"
    fetch >/dev/null 2>&1 || { apt-get $own update >/dev/null 2>&1 && fetch $own >/dev/null 2>&1; }
    for deb in debs/*.deb; do dpkg -x "$deb" root; done
    rm -rf debs state cache
    set -- "$PWD"`
  if (!(await once(folder, `fetching ${packages.join(' and ')}`, make))) {
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }
  const libraries = join(folder, 'root', 'usr', 'lib')
  const architecture = readdirSync(libraries).find((name) => name.includes('-linux-')) ?? ''
  const paths = [join(libraries, architecture), join(libraries, architecture, 'nss')]
  return {
    command: (name) => join(folder, 'root', 'usr', 'bin', name),
    env: { ...process.env, LD_LIBRARY_PATH: paths.join(':') },
  }
}

/** The machine's own where it has them. */
export const debianTools = async (): Promise<DebianTools | undefined> =>
  (await missing('certtool', '--version')) || (await missing('which', 'vfychain', 'certutil', 'crlutil'))
    ? unpacked()
    : { command: (name) => name, env: process.env }
