package flinkglue.jobs;

/** A release whose main method ends without submitting a job. */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) {
        Arguments.of(args, CountPipeline.ARGUMENTS);
    }
}
