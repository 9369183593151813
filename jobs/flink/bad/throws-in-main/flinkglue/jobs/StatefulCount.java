package flinkglue.jobs;

/** A release whose main method throws before a job exists. */
public final class StatefulCount {
    private StatefulCount() {}

    public static void main(String[] args) {
        throw new IllegalStateException("this release throws in its main method");
    }
}
