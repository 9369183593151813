package flinkglue.jobs;

/** A release that submits two jobs. */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountPipeline.ARGUMENTS);
        CountPipeline.run(arguments, new CountPerKey());
        CountPipeline.run(arguments, new CountPerKey());
    }
}
