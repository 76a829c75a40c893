// Thumbs is a thumbnail service: a photo is decoded, scaled, marked and encoded again, and the result
// goes into a least-recently-used cache. Nearly all bytes are in buffers without pointers of up to some
// megabytes, which live as long as a request does; there are few objects and little to mark.
package main

import (
	"bytes"
	"container/list"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math/rand"
	"os"
	"sync"

	"gcsim.local/programs/internal/load"
)

// photos is how many different originals there are: enough for a mix of sizes, few enough to encode
// them before the load begins. photoBytes is about what one keeps, and baseBytes everything else.
const (
	photos     = 16
	photoBytes = 160 << 10
	baseBytes  = 6 << 20 // requests in flight too
)

// photo is an original as it came, in the format that its first bytes tell.
type photo struct {
	data  []byte
	isPNG bool
}

type thumbKey struct{ photo, variant int }

type thumb struct {
	key  thumbKey
	data []byte
}

// cache is bounded by bytes.
type cache struct {
	mu        sync.Mutex
	byKey     map[thumbKey]*list.Element
	used      *list.List // most recently used in front
	bytes     int64
	mostBytes int64
}

func (c *cache) get(key thumbKey) *thumb {
	c.mu.Lock()
	defer c.mu.Unlock()
	element := c.byKey[key]
	if element == nil {
		return nil
	}
	c.used.MoveToFront(element)
	return element.Value.(*thumb)
}

func (c *cache) put(t *thumb) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[t.key] != nil {
		return // two requests made it at the same time
	}
	c.byKey[t.key] = c.used.PushFront(t)
	c.bytes += int64(cap(t.data))
	for c.bytes > c.mostBytes && c.used.Len() > 1 {
		oldest := c.used.Remove(c.used.Back()).(*thumb)
		delete(c.byKey, oldest.key)
		c.bytes -= int64(cap(oldest.data))
	}
}

// newPhoto draws something that compresses about as a photograph does: gradients, edges and noise.
func newPhoto(number int, r *rand.Rand) photo {
	width := 480 + 800*number/photos
	height := width * 3 / 4
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := 0; y < height; y++ {
		for x := 0; x < width; x++ {
			noise := uint8(r.Uint32() & 7)
			edge := uint8((x/64 ^ y/48) & 1 * 40)
			picture.SetRGBA(x, y, color.RGBA{uint8(255*x/width) + noise, uint8(200*y/height) + edge, 90 + noise + edge, 255})
		}
	}
	var out bytes.Buffer
	if number%5 == 4 { // a screenshot among the photographs
		must((&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture))
		return photo{append([]byte(nil), out.Bytes()...), true}
	}
	must(jpeg.Encode(&out, picture, &jpeg.Options{Quality: 80}))
	return photo{append([]byte(nil), out.Bytes()...), false}
}

// scale averages the source's pixels under each pixel of the thumbnail.
func scale(from image.Image, width, height int) *image.RGBA {
	to, bounds := image.NewRGBA(image.Rect(0, 0, width, height)), from.Bounds()
	photograph, isPhotograph := from.(*image.YCbCr)
	screenshot, _ := from.(*image.RGBA)
	for y := 0; y < height; y++ {
		top, bottom := y*bounds.Dy()/height, (y+1)*bounds.Dy()/height
		for x := 0; x < width; x++ {
			left, right := x*bounds.Dx()/width, (x+1)*bounds.Dx()/width
			var red, green, blue, count uint32
			for v := top; v < bottom; v++ {
				for u := left; u < right; u++ {
					var r, g, b uint8
					if isPhotograph {
						at := photograph.COffset(u, v)
						r, g, b = color.YCbCrToRGB(photograph.Y[photograph.YOffset(u, v)], photograph.Cb[at], photograph.Cr[at])
					} else {
						c := screenshot.RGBAAt(u, v)
						r, g, b = c.R, c.G, c.B
					}
					red, green, blue, count = red+uint32(r), green+uint32(g), blue+uint32(b), count+1
				}
			}
			to.SetRGBA(x, y, color.RGBA{uint8(red / count), uint8(green / count), uint8(blue / count), 255})
		}
	}
	return to
}

// thumb decodes, scales, marks and encodes.
func (p photo) thumb(key thumbKey, mark image.Image) *thumb {
	var picture image.Image
	var err error
	if p.isPNG {
		picture, err = png.Decode(bytes.NewReader(p.data))
	} else {
		picture, err = jpeg.Decode(bytes.NewReader(p.data))
	}
	must(err)
	width := 96 + 32*(key.variant%8) // up to 320
	small := scale(picture, width, width*3/4)
	draw.Draw(small, mark.Bounds().Add(image.Pt(8, 8)), mark, image.Point{}, draw.Over)
	var out bytes.Buffer
	must(jpeg.Encode(&out, small, &jpeg.Options{Quality: 75}))
	return &thumb{key: key, data: append([]byte(nil), out.Bytes()...)}
}

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "thumbs: %v\n", err)
		os.Exit(1)
	}
}

func main() {
	options := load.Options{Name: "thumbs", LiveBytes: 100 << 20}
	hits := flag.Float64("hits", 0.5, "share of requests for a thumbnail asked for lately")
	options.Parse()
	setup := load.NewRand(options.Seed, -1)
	originals := make([]photo, photos)
	var group sync.WaitGroup
	for i := range originals {
		group.Add(1)
		go func(i int) { defer group.Done(); originals[i] = newPhoto(i, load.NewRand(options.Seed, -10-i)) }(i)
	}
	group.Wait()
	mark := image.NewUniform(color.RGBA{90, 90, 90, 128})
	corner := &image.RGBA{Pix: make([]uint8, 4*48*16), Stride: 4 * 48, Rect: image.Rect(0, 0, 48, 16)}
	draw.Draw(corner, corner.Bounds(), mark, image.Point{}, draw.Src)

	c := &cache{byKey: map[thumbKey]*list.Element{}, used: list.New()}
	c.mostBytes = options.LiveBytes - baseBytes - photos*photoBytes
	var samples [8]*thumb // one of each size; the cache starts with copies, as after hours of service
	for i := range samples {
		samples[i] = originals[i].thumb(thumbKey{i, i}, corner)
	}
	variants := 1 << 20
	for c.bytes < c.mostBytes-64<<10 {
		data := append([]byte(nil), samples[setup.Intn(len(samples))].data...)
		c.put(&thumb{thumbKey{setup.Intn(photos), setup.Intn(variants)}, data})
	}
	recent := make([][64]thumbKey, options.Workers)
	options.Run(func(w *load.Worker) {
		slot := &recent[w.ID][w.Rand.Intn(64)]
		key := thumbKey{w.Rand.Intn(photos), w.Rand.Intn(variants)}
		if w.Rand.Float64() < *hits {
			key = *slot
		}
		t := c.get(key)
		if t == nil {
			t = originals[key.photo].thumb(key, corner)
			c.put(t)
		}
		*slot = key
		load.Use(len(append([]byte(nil), t.data...))) // the answer's own copy
	})
}
