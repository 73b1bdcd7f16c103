import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Set;
import org.agrona.DirectBuffer;
import org.agrona.ExpandableArrayBuffer;
import org.agrona.MutableDirectBuffer;
import org.agrona.concurrent.UnsafeBuffer;
import tapecast.MessageHeaderDecoder;
import tapecast.MessageHeaderEncoder;

/**
 * Reads SBE messages with the codecs that the official tool generated, writes a line of text for
 * each, and encodes each again from what was read.
 *
 * <p>Usage: {@code Interop MESSAGES LINES MESSAGES_AGAIN}.
 *
 * <p>The generated classes have no common type, so their methods are called by name. The schema's
 * order is the order here: a '?' marks an optional field.
 */
public final class Interop {
    private static final List<String> HEAD = List.of(
        "instrumentId", "prevSeq", "seq", "eventTime?", "logTime", "publishTime", "epoch", "view");

    private static final List<Group> SIDES = List.of(
        new Group("bids", List.of("price", "size"), List.of()),
        new Group("asks", List.of("price", "size"), List.of()));

    private static final List<Message> MESSAGES = List.of(
        new Message("Instrument",
            List.of("priceExponent", "sizeExponent", "state", "tickSize?", "lotSize?"),
            List.of(), List.of("venue", "symbol")),
        new Message("BookSnapshot", List.of("checksum", "chunk", "chunks"), SIDES, List.of()),
        new Message("BookDelta", List.of("checksum"), SIDES, List.of()),
        new Message("Bbo", List.of("bidPrice?", "bidSize?", "askPrice?", "askSize?"), List.of(), List.of()),
        new Message("Trades", List.of(),
            List.of(new Group("entries", List.of("price", "size", "side"), List.of("tradeId"))), List.of()),
        new Message("Ticker",
            List.of("open?", "high?", "low?", "last?", "volume?", "vwap?", "change?", "trades"),
            List.of(), List.of()),
        new Message("Bar",
            List.of("interval", "openTime", "open", "high", "low", "close", "volume", "trades", "closed"),
            List.of(), List.of()),
        new Message("Status", List.of("channel", "state", "reason"), List.of(), List.of()),
        new Message("Heartbeat", List.of("channel"), List.of(), List.of()),
        new Message("Lag",
            List.of("channel", "kind", "fromSeq", "toSeq", "messages", "bytes", "age"), List.of(), List.of()),
        new Message("GoAway", List.of("reason", "delay", "closeAfter"), List.of(), List.of()),
        new Message("ReplayComplete", List.of("channel", "messages"), List.of(), List.of()));

    /** Java has no unsigned long: these are printed as such. */
    private static final Set<String> UNSIGNED = Set.of(
        "instrumentId", "eventTime", "logTime", "publishTime", "openTime", "bytes", "age");

    private record Message(String name, List<String> fields, List<Group> groups, List<String> texts) { }

    private record Group(String name, List<String> fields, List<String> texts) { }

    private Interop() {
    }

    public static void main(final String[] args) throws Exception {
        final DirectBuffer in = new UnsafeBuffer(Files.readAllBytes(Path.of(args[0])));
        final ExpandableArrayBuffer out = new ExpandableArrayBuffer();
        final StringBuilder lines = new StringBuilder();
        final MessageHeaderDecoder header = new MessageHeaderDecoder();
        int at = 0;
        int outAt = 0;
        while (at < in.capacity()) {
            header.wrap(in, at);
            final Message message = MESSAGES.get(header.templateId() - 1);
            final Object decoder = codec(message.name() + "Decoder");
            final Object encoder = codec(message.name() + "Encoder");
            method(decoder, "wrapAndApplyHeader", DirectBuffer.class, int.class, MessageHeaderDecoder.class)
                .invoke(decoder, in, at, header);
            method(encoder, "wrapAndApplyHeader", MutableDirectBuffer.class, int.class, MessageHeaderEncoder.class)
                .invoke(encoder, out, outAt, new MessageHeaderEncoder());
            lines.append(message.name());
            copy(message, decoder, encoder, lines);
            lines.append('\n');
            at = (int)get(decoder, "limit");
            outAt = (int)get(encoder, "limit");
        }
        Files.writeString(Path.of(args[1]), lines);
        final byte[] again = new byte[outAt];
        out.getBytes(0, again);
        Files.write(Path.of(args[2]), again);
    }

    private static void copy(
        final Message message, final Object decoder, final Object encoder, final StringBuilder line)
        throws Exception {
        copyFields(HEAD, decoder, encoder, line);
        copyFields(message.fields(), decoder, encoder, line);
        for (final Group group : message.groups()) {
            final Object entries = get(decoder, group.name());
            final int count = (int)get(entries, "count");
            line.append(' ').append(group.name()).append('=').append(count);
            final Object encoded = method(encoder, group.name() + "Count", int.class).invoke(encoder, count);
            while ((boolean)get(entries, "hasNext")) {
                get(entries, "next");
                get(encoded, "next");
                copyFields(group.fields(), entries, encoded, line);
                copyTexts(group.texts(), entries, encoded, line);
            }
        }
        copyTexts(message.texts(), decoder, encoder, line);
    }

    private static void copyFields(
        final List<String> fields, final Object decoder, final Object encoder, final StringBuilder line)
        throws Exception {
        for (final String field : fields) {
            final boolean optional = field.endsWith("?");
            final String name = optional ? field.substring(0, field.length() - 1) : field;
            final Method getter = method(decoder, name);
            final Object value = getter.invoke(decoder);
            line.append(' ').append(name).append('=');
            if (optional && value.equals(get(decoder, name + "NullValue"))) {
                line.append("null");
            } else if (UNSIGNED.contains(name)) {
                line.append(Long.toUnsignedString((long)value));
            } else {
                line.append(value);
            }
            method(encoder, name, getter.getReturnType()).invoke(encoder, value);
        }
    }

    private static void copyTexts(
        final List<String> texts, final Object decoder, final Object encoder, final StringBuilder line)
        throws Exception {
        for (final String name : texts) {
            final String text = (String)get(decoder, name);
            final byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            line.append(' ').append(name).append('=').append(HexFormat.of().formatHex(bytes));
            method(encoder, name, String.class).invoke(encoder, text);
        }
    }

    private static Object codec(final String name) throws Exception {
        return Class.forName("tapecast." + name).getConstructor().newInstance();
    }

    private static Object get(final Object codec, final String name) throws Exception {
        return method(codec, name).invoke(codec);
    }

    private static Method method(final Object codec, final String name, final Class<?>... parameters)
        throws Exception {
        return codec.getClass().getMethod(name, parameters);
    }
}
