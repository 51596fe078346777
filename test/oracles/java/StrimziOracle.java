import io.strimzi.api.ResourceLabels;
import io.strimzi.api.kafka.model.kafka.KafkaResources;

/**
 * Where Strimzi looks for CAs that a person brings along for the Kafka resource NAME, in the words of its API package.
 * Usage: java -cp strimzi-api.jar StrimziOracle.java NAME
 */
public final class StrimziOracle {
    public static void main(String[] arguments) {
        String name = arguments[0];
        System.out.printf(
            "{\"secrets\":[\"%s\",\"%s\",\"%s\",\"%s\"],\"labels\":{\"%s\":\"Kafka\",\"%s\":\"%s\"}}%n",
            KafkaResources.clusterCaCertificateSecretName(name),
            KafkaResources.clusterCaKeySecretName(name),
            KafkaResources.clientsCaCertificateSecretName(name),
            KafkaResources.clientsCaKeySecretName(name),
            ResourceLabels.STRIMZI_KIND_LABEL,
            ResourceLabels.STRIMZI_CLUSTER_LABEL,
            name);
    }
}
