/** jetcd, which answers with what it has put and got again. */
import type { LinesDriver } from './java-lines.ts'
import { maven } from './packages.ts'

/** Undefined where Maven or the driver cannot be had here. */
export const installJetcd = (): Promise<string | undefined> =>
  maven('etcd-java', ['io.etcd:jetcd-core:0.8.7', 'org.slf4j:slf4j-nop:2.0.18'])

export const jetcd: LinesDriver = {
  name: 'jetcd',
  imports: `import io.etcd.jetcd.*;
import io.grpc.netty.GrpcSslContexts;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.concurrent.TimeUnit.SECONDS;`,
  use: `try (client) {
      var key = ByteSequence.from("orders", UTF_8);
      client.getKVClient().put(key, ByteSequence.from("of jetcd", UTF_8)).get(60, SECONDS);
      return client.getKVClient().get(key).get(60, SECONDS).getKvs().get(0).getValue().toString(UTF_8);
    }`,
}
