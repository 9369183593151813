package org.apache.flink.examples.java.wordcount;

import flinkglue.jobs.Arguments;
import java.io.FileNotFoundException;
import java.io.IOException;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.file.src.FileSource;
import org.apache.flink.connector.file.src.reader.TextLineInputFormat;
import org.apache.flink.core.fs.Path;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;

/**
 * Counts the words of a text: {@code --input FILE --output DIRECTORY}.
 *
 * <p>A bounded job: each word's line {@code word count} is written once, with its final count. The
 * class name and the arguments are those of the published example.
 */
public final class WordCount {
    private WordCount() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, "input", "output");
        Path input = existing(new Path(arguments.required("input")));
        Path output = new Path(arguments.required("output"));

        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        environment.configure(askedParallelism());
        environment.setRuntimeMode(RuntimeExecutionMode.BATCH);
        DataStream<Tuple2<String, Long>> counts =
                environment
                        .fromSource(lines(input), WatermarkStrategy.noWatermarks(), "lines")
                        .flatMap(new Words())
                        .name("words")
                        .keyBy(word -> word.f0, Types.STRING)
                        .sum(1)
                        .name("counts");
        counts.map(new CountLine()).name("count lines").sinkTo(textFiles(output)).name("output");
        // A job name chosen by whoever submits the jar is how the job is found again.
        environment.execute(
                environment.getConfiguration().getOptional(PipelineOptions.NAME).orElse("WordCount"));
    }

    /** Looks before anything is submitted: a missing file would else fail inside a running job. */
    private static Path existing(Path input) throws IOException {
        if (!input.getFileSystem().exists(input)) {
            throw new FileNotFoundException(
                    "--input " + input + " does not exist where the job manager can read it");
        }
        return input;
    }

    /** The scheduler of bounded jobs would else choose the parallelism itself, from the data's size. */
    private static Configuration askedParallelism() {
        Configuration configuration = new Configuration();
        configuration.setString("execution.batch.adaptive.auto-parallelism.enabled", "false");
        return configuration;
    }

    private static FileSource<String> lines(Path input) {
        return FileSource.forRecordStreamFormat(new TextLineInputFormat(), input).build();
    }

    private static FileSink<String> textFiles(Path output) {
        return FileSink.forRowFormat(output, new SimpleStringEncoder<String>())
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .build();
    }
}
